// What crosses between the extension and the script of the session view.

import type { Card } from "../cards.ts";
import type { KitEvent } from "../protocol.ts";
import type { SessionModel } from "./model.ts";

export type ToView =
  | { type: "snapshot"; model: SessionModel | undefined }
  | { type: "events"; events: KitEvent[] }
  | { type: "cards"; cards: Card[] }
  /** Turns that still have hunks to review. */
  | { type: "turns"; turns: string[] }
  | { type: "context"; label: string | undefined }
  | { type: "sent"; accepted: boolean }
  | { type: "focus" };

export type FromView =
  | { type: "ready" }
  | { type: "prompt"; text: string; withContext: boolean; delivery: "queue" | "steer" }
  | { type: "stop" }
  | { type: "card"; id: string; option: string; feedback: string }
  | { type: "open"; uri: string; line: number }
  | { type: "link"; target: string }
  | { type: "turn"; act: "keep" | "undo"; turn: string };
