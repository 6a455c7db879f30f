// What the generated types leave out: which command takes and gives what, and a name for events that does
// not collide with the browser's.

import type {
  CancelAnswer, CancelArguments, DoctorAnswer, Event, ModelListAnswer, ModelListArguments, ModelSetAnswer, ModelSetArguments, ModeSetAnswer,
  ModeSetArguments, PromptAnswer, PromptArguments, ReviewAnswer, ReviewArguments, ReviewListArguments, ReviewState, SessionAnswer,
  SessionArguments, SessionListAnswer, SessionListArguments, ThinkingSetAnswer, ThinkingSetArguments, TranscriptArguments, Trust, UsageAnswer, UsageArguments,
} from "./protocol.gen.ts";

export type * from "./protocol.gen.ts";
export { protocolVersion } from "./protocol.gen.ts";

/** One entry of the ordered stream of a session. */
export type KitEvent = Extract<Event, { type: string }>;

type Empty = Record<string, never>;

/** The commands of `workspace/executeCommand` that this client sends, with argument and answer. */
export interface Commands {
  "kit.session.prompt": { argument: PromptArguments; answer: PromptAnswer };
  "kit.session.cancel": { argument: CancelArguments; answer: CancelAnswer };
  "kit.session.new": { argument: SessionArguments; answer: SessionAnswer };
  "kit.session.open": { argument: SessionArguments; answer: SessionAnswer };
  "kit.session.fork": { argument: SessionArguments; answer: SessionAnswer };
  "kit.session.rename": { argument: SessionArguments; answer: SessionAnswer };
  "kit.session.delete": { argument: SessionArguments; answer: SessionAnswer };
  "kit.session.retry": { argument: SessionArguments; answer: PromptAnswer };
  "kit.session.list": { argument: SessionListArguments; answer: SessionListAnswer };
  "kit.session.transcript": { argument: TranscriptArguments; answer: { events: KitEvent[]; nextSeq: number } };
  "kit.review.list": { argument: ReviewListArguments; answer: ReviewState };
  "kit.review.keep": { argument: ReviewArguments; answer: ReviewAnswer };
  "kit.review.undo": { argument: ReviewArguments; answer: ReviewAnswer };
  "kit.review.revert": { argument: Empty; answer: ReviewAnswer };
  "kit.model.list": { argument: ModelListArguments; answer: ModelListAnswer };
  "kit.model.set": { argument: ModelSetArguments; answer: ModelSetAnswer };
  "kit.thinking.set": { argument: ThinkingSetArguments; answer: ThinkingSetAnswer };
  "kit.mode.set": { argument: ModeSetArguments; answer: ModeSetAnswer };
  "kit.usage.get": { argument: UsageArguments; answer: UsageAnswer };
  "kit.trust.set": { argument: Trust; answer: Trust };
  "kit.doctor": { argument: Empty; answer: DoctorAnswer };
}
