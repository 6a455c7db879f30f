// Questions that wait for the user as cards in the session view, and as a notification when nobody would see the card.
// Each is answered once: by a button of either, by a command, or by being withdrawn.

import * as vscode from "vscode";
import { withoutLinks } from "./format.ts";
import type { DiffBlock, PermissionOption } from "./protocol.ts";
import { setting } from "./settings.ts";

export interface Card {
  id: string;
  session: string | undefined;
  title: string;
  /** The subagent that asks, by the names from the session's own agent down to it. */
  agent: string;
  /** Markdown under the title. */
  text: string;
  /** A command line or tool arguments, shown as they are. */
  code: string;
  /** The folder that a command runs in, where it is not the workspace's. */
  place: string;
  /** A text that the user needs elsewhere. */
  copy: string;
  uri: string | undefined;
  blocks: DiffBlock[];
  /** An answer that holds from now on says in `rule`, as Markdown, what it writes and where. */
  options: CardOption[];
}

export interface CardOption {
  id: string;
  label: string;
  /** Permissions are allowed or rejected, other questions have choices. */
  kind: PermissionOption["kind"] | "choice";
  rule: string;
}

export interface CardAnswer {
  option: string;
  feedback: string;
}

interface Pending {
  card: Card;
  notified: boolean;
  resolve: (answer: CardAnswer | undefined) => void;
}

/** A visible card in a window without focus gets its notification only after this time. */
const patienceMs = 10_000;
/** The longest command that a notification shows whole. */
const notificationLimit = 160;
/** The most buttons of a question that a notification has room for. */
const notificationChoices = 3;

export class Cards implements vscode.Disposable {
  private readonly pending = new Map<string, Pending>();
  private readonly emitter = new vscode.EventEmitter<void>();
  readonly onChange = this.emitter.event;

  /** Whether the session view shows cards now. */
  visible: () => boolean = () => false;

  list(): Card[] {
    return [...this.pending.values()].map(({ card }) => card);
  }

  /** The user's answer, or nothing if the question was withdrawn. */
  ask(card: Card, token: vscode.CancellationToken): Promise<CardAnswer | undefined> {
    return new Promise((resolve) => {
      const cancellation = token.onCancellationRequested(() => this.settle(card.id, undefined));
      this.pending.set(card.id, {
        card,
        notified: false,
        resolve: (answer) => {
          cancellation.dispose();
          resolve(answer);
        },
      });
      this.changed();
      this.notify(card);
    });
  }

  settle(id: string, answer: CardAnswer | undefined): void {
    const pending = this.pending.get(id);
    if (!pending) return;
    this.pending.delete(id);
    this.changed();
    pending.resolve(answer);
  }

  /** Answers the oldest question with its first option of a kind. */
  answerFirst(kind: PermissionOption["kind"]): void {
    const card = this.list().find(({ options }) => options.some((option) => option.kind === kind));
    const option = card?.options.find((candidate) => candidate.kind === kind);
    if (card && option) this.settle(card.id, { option: option.id, feedback: "" });
  }

  withdraw(belongs: (card: Card) => boolean): void {
    for (const card of this.list()) if (belongs(card)) this.settle(card.id, undefined);
  }

  private changed(): void {
    void vscode.commands.executeCommand("setContext", "kit.approvals", this.pending.size);
    this.emitter.fire();
  }

  /** The view was hidden: what waits there would not be seen any more. */
  hidden(): void {
    for (const card of this.list()) this.showNotification(card);
  }

  private notify(card: Card): void {
    if (!this.visible()) return this.showNotification(card);
    setTimeout(() => {
      if (!vscode.window.state.focused) this.showNotification(card);
    }, patienceMs);
  }

  private showNotification(card: Card): void {
    const pending = this.pending.get(card.id);
    if (!pending || pending.notified || !setting("notifications.waiting", true)) return;
    pending.notified = true;
    // Nothing is allowed from a notification that cannot show all of it.
    const fits = card.blocks.length === 0 && card.code.length <= notificationLimit && !card.code.includes("\n");
    const kinds: CardOption["kind"][] = fits ? ["allowOnce", "rejectOnce"] : ["rejectOnce"];
    const choices = card.options.filter((option) => option.kind === "choice").slice(0, notificationChoices);
    const quick = [...kinds.flatMap((kind) => card.options.find((option) => option.kind === kind) ?? []), ...choices];
    const buttons = quick.map((option) => ({ title: option.label, option: option.id }));
    const detail = card.code || card.uri ? `: ${card.code.split("\n", 1)[0] || (card.uri ?? "")}` : "";
    const asks = card.title || (card.text.replace(/^#+ /, "").split("\n", 1)[0] ?? "");
    const whole = asks.includes(detail.slice(2)) ? asks : asks + detail;
    const message = card.agent ? `${card.agent}: ${whole}` : whole;
    void vscode.window.showInformationMessage(`Kit: ${withoutLinks(message.replace(/^Kit:? /, ""))}${card.copy ? ` (${card.copy})` : ""}`, ...buttons, { title: "More…", option: "" }).then((choice) => {
      if (!choice) return;
      if (choice.option) this.settle(card.id, { option: choice.option, feedback: "" });
      else void vscode.commands.executeCommand("kit.showSession");
    });
  }

  dispose(): void {
    this.withdraw(() => true);
    this.emitter.dispose();
  }
}
