//! Sessions: prompts become turns, turns become messages, tool calls, edits under review, and entries of a file.
//!
//! [`Sessions`] has one method for each command and is all that an embedder needs: make the [`Dependencies`], send a
//! prompt, and listen at a [`Sink`]. Each session is an actor that owns its file and feeds a pure turn machine; the
//! [`ReviewDesk`] keeps the ledger of what agents changed. `examples/one_prompt.rs` is a whole program.
//!
//! The crate knows no LSP, no HTTP and no extension runtime: models, editor, tools and clients are ports.

mod activate_skill;
mod actor;
mod attention;
mod board;
mod budget;
mod clock;
mod compaction;
mod complete;
mod compose;
mod contributions;
mod conversation;
mod day;
mod dependencies;
mod desk;
mod error;
mod fork;
mod history;
mod hooks;
mod journal;
mod markdown;
mod markdown_code;
mod mentions;
mod near;
mod op;
mod project;
mod replay;
mod restore;
mod sessions;
mod sink;
mod stream;
mod system;
mod tokens;
mod tree;
mod turn;
mod usage;

pub use attention::Attention;
pub use contributions::{CommandCall, CommandOutcome, CommandSource, Contributions, MentionSource, Resource};
pub use dependencies::{CurrentSetup, Dependencies, Setup};
pub use desk::ReviewDesk;
pub use error::JournalError;
pub use hooks::{
    CompactionPlan, CompactionVerdict, HookCall, HookPoint, HookResult, HookScope, Hooks, Injection,
    InputSource, InputVerdict, NoHooks, Observation, SwitchReason, Verdict,
};
pub use op::ChangedBy;
pub use project::template::ActionKind;
pub use project::{Projects, TrustQuestion};
pub use sessions::{Sessions, TemplateAction};
pub use sink::Sink;
