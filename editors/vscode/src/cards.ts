// Questions that wait for the user as cards in the session view, and as a notification when nobody would see the card.
// Each is answered once: by a card, a notification, a command, or by being withdrawn.
//
// A message of VS Code with buttons cannot be taken back, and hides after a while. That of a progress stays until its work
// is over: it shows the answers as links, and goes as soon as the question has been answered anywhere.

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
  /** Takes its notification away. */
  hide: (() => void) | undefined;
  /** Whether the user has put its notification off. */
  later: boolean;
  resolve: (answer: CardAnswer | undefined) => void;
}

/** A visible card in a window without focus gets its notification only after this time. */
const patienceMs = 10_000;
/** The longest command that a notification shows whole. */
const notificationLimit = 160;
/** The most buttons of a question that a notification has room for. */
const notificationChoices = 3;
/** What the links of notifications run. */
const linkCommand = "kit.answerCard";

export class Cards implements vscode.Disposable {
  private readonly pending = new Map<string, Pending>();
  private readonly emitter = new vscode.EventEmitter<void>();
  readonly onChange = this.emitter.event;
  private readonly command = vscode.commands.registerCommand(linkCommand, (id: string, option?: string) => this.follow(id, option));

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
        hide: undefined,
        later: false,
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
    pending.hide?.();
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

  /** The view was hidden, and what waits there would not be seen any more; or it is shown, and notifications are too much. */
  viewChanged(): void {
    for (const { card, hide } of this.pending.values()) {
      if (this.visible()) hide?.();
      else this.showNotification(card);
    }
  }

  private notify(card: Card): void {
    if (!this.visible()) return this.showNotification(card);
    setTimeout(() => {
      if (!vscode.window.state.focused) this.showNotification(card);
    }, patienceMs);
  }

  private showNotification(card: Card): void {
    const pending = this.pending.get(card.id);
    if (!pending || pending.hide || pending.later || !setting("notifications.waiting", true)) return;
    // Nothing is allowed from a notification that cannot show all of it.
    const fits = card.blocks.length === 0 && card.code.length <= notificationLimit && !card.code.includes("\n");
    const kinds: CardOption["kind"][] = fits ? ["allowOnce", "rejectOnce"] : ["rejectOnce"];
    const choices = card.options.filter((option) => option.kind === "choice").slice(0, notificationChoices);
    const quick = [...kinds.flatMap((kind) => card.options.find((option) => option.kind === kind) ?? []), ...choices];
    const links = [...quick.map(({ label, id }) => link(label, card.id, id)), link("More…", card.id)];
    const options = { location: vscode.ProgressLocation.Notification, cancellable: putOff };
    const over = new Promise<void>((resolve) => {
      pending.hide = () => {
        pending.hide = undefined;
        resolve();
      };
    });
    void vscode.window.withProgress(options, (progress, token) => {
      token.onCancellationRequested(() => {
        pending.later = true;
        pending.hide?.();
      });
      // Without a share of the work there is no bar.
      progress.report({ message: [notificationText(card), ...links].join(linkGap), increment: 0 });
      return over;
    });
  }

  /** A link of a notification: an answer, or all of the question. */
  private follow(id: string, option: string | undefined): void {
    if (option !== undefined) return this.settle(id, { option, feedback: "" });
    this.pending.get(id)?.hide?.();
    void vscode.commands.executeCommand("kit.showSession");
  }

  dispose(): void {
    this.withdraw(() => true);
    this.command.dispose();
    this.emitter.dispose();
  }
}

/** VS Code takes a text for the button in place of the boolean that its types declare, and says "Cancel" otherwise. */
const putOff = "Later" as unknown as boolean;
/** Wide enough to tell two links apart. */
const linkGap = "\u2003";

function link(label: string, ...words: string[]): string {
  const argument = encodeURIComponent(JSON.stringify(words)).replace(/[()]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  // A link stays on one line.
  return `[${label.replace(/[[\]]/g, "").replaceAll(" ", "\u00a0")}](command:${linkCommand}?${argument})`;
}

/** The question in one line; a link in what a model wrote stays text. */
function notificationText({ title, text, code, uri, agent, copy }: Card): string {
  const asks = title || (text.replace(/^#+ /, "").split("\n", 1)[0] ?? "");
  const subject = code.split("\n", 1)[0] || (uri ?? "");
  const whole = asks.includes(subject) ? asks : `${asks}${/[?!.:]$/.test(asks) ? "" : ":"} ${subject}`;
  const named = agent ? `Kit: ${agent}: ${whole}` : whole.startsWith("Kit") ? whole : `Kit: ${whole}`;
  return `${withoutLinks(named)}${copy ? ` (${copy})` : ""}`;
}
