// What crosses between the extension and the script of the session view.

import type { Card } from "../cards.ts";
import type { KitEvent, PromptCompletion, UiUpdate, WirePosition } from "../protocol.ts";
import type { PrintItem, SessionModel } from "./items.ts";

export type ToView =
  | { type: "snapshot"; model: SessionModel | undefined }
  | { type: "events"; events: KitEvent[] }
  | { type: "print"; item: PrintItem }
  | { type: "cards"; cards: Card[] }
  /** Header, footer and widgets of extensions, in order. */
  | { type: "bars"; bars: UiUpdate[] }
  /** Turns that still have hunks to review. */
  | { type: "turns"; turns: string[] }
  | { type: "context"; label: string | undefined }
  | { type: "completions"; request: number; items: PromptCompletion[] }
  /** Scrolls to where a turn begins. */
  | { type: "reveal"; turn: string }
  | { type: "write"; text: string }
  | { type: "sent"; accepted: boolean }
  | { type: "focus" };

export type FromView =
  | { type: "ready" }
  | { type: "prompt"; text: string; withContext: boolean; delivery: "queue" | "steer" }
  | { type: "complete"; request: number; text: string; position: WirePosition }
  | { type: "stop" }
  | { type: "card"; id: string; option: string; feedback: string }
  | { type: "copy"; text: string }
  | { type: "open"; uri: string; line: number }
  | { type: "link"; target: string }
  | { type: "turn"; act: "keep" | "undo" | "rewind"; turn: string }
  | { type: "agent"; act: "open" | "stop"; session: string }
  | { type: "queue" };
