//! Sessions: prompts become turns, turns become messages, tool calls, edits under review, and entries of a file.
//!
//! [`Sessions`] has one method for each command and is all that an embedder needs: make the [`Dependencies`], send a
//! prompt, and listen at a [`Sink`]. Each session is an actor that owns its file and feeds a pure turn machine; the
//! [`ReviewDesk`] keeps the ledger of what agents changed.
//!
//! A program without an editor takes [`Dependencies::local`] and a [`Feed`]:
//!
//! ```no_run
//! # async fn program() -> Result<(), Box<dyn std::error::Error>> {
//! use kit_protocol::{PromptArguments, Settings, TurnId};
//! use kit_session::{Dependencies, Feed, Sessions};
//! use kit_text::Encoding;
//! use kit_workspace::Paths;
//!
//! let paths = Paths::discover(|name| std::env::var_os(name))?;
//! let feed = Feed::new();
//! let sessions = Sessions::new(Dependencies::local(".", paths, Settings::default(), feed.clone()));
//! let mut events = feed.events();
//! let turn = TurnId::random();
//! sessions.prompt(PromptArguments::new("Explain this project."), Encoding::Utf8, turn.clone()).await?;
//! println!("{}", events.response(&turn).await?);
//! sessions.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Whole programs are in `examples`: `one_turn` prints the events of a turn as JSON lines, `custom_tool` gives the model
//! a tool of its own, `live_events` follows a turn as a person would, `subagent` gives a task away. What an embedder
//! decides:
//!
//! - *Tools*: a [`Registry`](kit_tools::Registry) of the built-in ones and of types that implement
//!   [`Tool`](kit_tools::Tool).
//! - *Models*: those of the settings, the environment and the catalogue, in the [`Setup`].
//! - *Files*: an [`Editor`](kit_workspace::Editor), or the disk. [`Sessions`] keeps its own files where
//!   [`Paths`](kit_workspace::Paths) says.
//! - *Permissions*: the [`Policy`](kit_tools::Policy), the mode of the settings, and the answers of the editor.
//! - *Everything else that may change a turn*: [`Hooks`].
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
mod entries;
mod error;
mod fork;
mod git;
mod history;
mod hooks;
mod journal;
mod local;
mod markdown;
mod markdown_code;
mod mcp;
mod mentions;
pub mod near;
mod op;
mod project;
mod reference;
mod replay;
mod restore;
mod sessions;
mod sink;
mod stream;
mod subagent;
mod system;
mod tokens;
mod tree;
mod turn;
mod update_plan;
mod usage;

pub use attention::Attention;
pub use compose::Enclosure;
pub use contributions::{
    CommandAction, CommandCall, CommandOutcome, CommandSource, CompletionCall, Contributions, MentionSource,
    Resource, Watch,
};
pub use dependencies::{CurrentSetup, Dependencies, Setup, Setups};
pub use desk::ReviewDesk;
pub use entries::{ExtensionEntry, SessionEntry};
pub use error::JournalError;
pub use git::commit_log;
pub use hooks::{
    CompactionPlan, CompactionVerdict, HookCall, HookPoint, HookResult, HookScope, Hooks, Injection,
    InputSource, InputVerdict, NoHooks, Observation, SwitchReason, Verdict,
};
pub use kit_tools::mcp::McpContent;
pub use local::{Events, Feed, Missed};
pub use mcp::McpContributions;
pub use op::ChangedBy;
pub use project::Projects;
pub use project::template::ActionKind;
pub use sessions::inquiry::{Chunk, Inquiry, InquiryAnswer};
pub use sessions::look::{ContextStats, SessionView};
pub use sessions::programs::{CallDisplay, Script, SessionTool};
pub use sessions::{Sessions, TemplateAction};
pub use sink::Sink;
pub use subagent::{
    DEFAULT_PARALLEL, DEFAULT_TIMEOUT, LONGEST_TIMEOUT, SpawnRequest, Spawner, Subagent, SubagentListener,
    SubagentOutcome, SubagentReport,
};
