// Follows the session that the view shows: fetches what it has not seen, then folds in the live stream.
// Gaps in `seq` are filled from `kit.session.transcript`; events and printed lines that arrive meanwhile wait, so nothing
// is applied twice or out of order, however answers and notifications interleave.

import * as vscode from "vscode";
import type { Client } from "../client.ts";
import { report } from "../errors.ts";
import type { KitEvent, Status } from "../protocol.ts";
import type { Item, PrintItem, SessionModel } from "./items.ts";
import { apply, emptySession } from "./model.ts";
import { withPrinted } from "./printed.ts";

const rememberedSession = "session";

export class SessionStore implements vscode.Disposable {
  private readonly eventEmitter = new vscode.EventEmitter<KitEvent[]>();
  private readonly printEmitter = new vscode.EventEmitter<PrintItem>();
  private readonly resetEmitter = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[];

  /** Events that were folded into the model. */
  readonly onEvents = this.eventEmitter.event;
  /** Something that is no event was added to the model. */
  readonly onPrint = this.printEmitter.event;
  /** The model was replaced: draw it from scratch. */
  readonly onReset = this.resetEmitter.event;

  model: SessionModel | undefined;
  /** What was printed without a session. */
  readonly loose: PrintItem[] = [];
  /** What was printed while events are fetched, which come before it. */
  private readonly late: PrintItem[] = [];
  /** The rows before the session is told anew, until it is. */
  private before: Item[] | undefined;
  private waiting: KitEvent[] = [];
  private fetching = false;

  constructor(
    private readonly client: Client,
    private readonly memory: vscode.Memento,
  ) {
    this.subscriptions = [
      client.onEvent((event) => this.take(event)),
      client.onStatus((status) => this.adopt(status)),
      // Another server numbers the events anew.
      client.onState((state) => {
        if (state === "running") void (this.model ? this.reload() : this.restore());
      }),
    ];
  }

  get current(): string | undefined {
    return this.model?.session;
  }

  /** Shows another session, from its beginning. */
  show(session: string): void {
    if (this.model?.session === session) return;
    this.replace(session, []);
    void this.memory.update(rememberedSession, session);
  }

  /** Another branch became the current one, or turns were taken back: all but what was printed is told anew. */
  reload(): void {
    if (this.model) this.replace(this.model.session, this.before ?? this.model.items);
  }

  private replace(session: string, before: Item[]): void {
    this.model = { ...emptySession(session), items: [...this.loose.splice(0)] };
    this.before = before.length > 0 ? before : undefined;
    this.waiting = [];
    this.fetching = false;
    // Rows that are told anew stay on the screen until they are.
    if (!this.before) this.resetEmitter.fire();
    void this.fetch();
  }

  /** Adds a text at the end of the log; without a session it waits for the next one. */
  print(item: PrintItem): void {
    if (this.fetching) return void this.late.push(item);
    (this.model?.items ?? this.loose).push(item);
    this.printEmitter.fire(item);
  }

  /** Shows no session: the next prompt starts one. */
  clear(): void {
    this.model = undefined;
    this.fetching = false;
    this.loose.push(...this.late.splice(0));
    void this.memory.update(rememberedSession, undefined);
    this.resetEmitter.fire();
  }

  /** After a reload of the window the session that was shown comes back, if it still exists. */
  private async restore(): Promise<void> {
    const session = this.memory.get<string>(rememberedSession);
    if (!session) return;
    try {
      await this.client.call("kit.session.open", { session });
    } catch {
      return;
    }
    if (!this.model) this.show(session);
  }

  /** After a start of the editor the status names the session that goes on. */
  private adopt(status: Status): void {
    if (!this.model && status.session && status.state !== "idle") this.show(status.session);
  }

  private take(event: KitEvent): void {
    if (event.session !== this.model?.session) return;
    this.waiting.push(event);
    this.drain();
  }

  private drain(): void {
    const model = this.model;
    if (!model || this.fetching) return;
    const applied: KitEvent[] = [];
    while (this.waiting[0] && this.waiting[0].seq <= model.nextSeq) {
      const event = this.waiting.shift();
      if (event && event.seq === model.nextSeq) {
        apply(model, event);
        applied.push(event);
      }
    }
    if (applied.length > 0) this.eventEmitter.fire(applied);
    if (this.waiting.length > 0) void this.fetch();
  }

  private async fetch(): Promise<void> {
    const model = this.model;
    if (!model || this.fetching || this.client.state !== "running") return;
    this.fetching = true;
    try {
      const answer = await this.client.call("kit.session.transcript", { session: model.session, from: model.nextSeq });
      if (model !== this.model) return;
      const missed = answer.events.filter((event) => event.seq >= model.nextSeq);
      for (const event of missed) apply(model, event);
      model.nextSeq = Math.max(model.nextSeq, answer.nextSeq);
      if (missed.length > 0 && !this.before) this.eventEmitter.fire(missed);
    } catch (error) {
      if (model === this.model) {
        // Without the missing part the rest still helps: go on from the first event at hand.
        model.nextSeq = this.waiting[0]?.seq ?? model.nextSeq;
        report(error);
      }
    } finally {
      if (model === this.model) {
        this.fetching = false;
        this.placePrinted(model);
        this.drain();
      }
    }
  }

  private placePrinted(model: SessionModel): void {
    if (this.before) {
      model.items = withPrinted(this.before, model.items);
      this.before = undefined;
      this.resetEmitter.fire();
    }
    for (const item of this.late.splice(0)) this.print(item);
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.eventEmitter.dispose();
    this.printEmitter.dispose();
    this.resetEmitter.dispose();
  }
}
