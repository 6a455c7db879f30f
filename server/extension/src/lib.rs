//! Extensions: WebAssembly components and single JavaScript files in a sandbox, and their part in sessions.
//!
//! [`sandbox`] runs one guest with its limits and knows nothing of sessions. [`Extensions`] finds, loads and reloads
//! extensions, answers their calls, and is the [`Hooks`](kit_session::Hooks) and an observer of sessions. What both sides
//! say is in `kit-contract`.

mod caller;
mod command;
mod convert;
mod desk;
mod display;
mod extensions;
mod facts;
mod feed;
mod generation;
mod grants;
mod hooks;
pub mod javascript;
mod load;
mod loaded;
mod method;
mod options;
mod permission;
mod permit;
mod ports;
pub mod rehearsal;
pub mod sandbox;
mod screen;
mod shortcut;
mod source;
mod state;
mod tool;
mod typescript;
mod watch;

pub use command::ExtensionCommands;
pub use desk::own_events;
pub use extensions::Extensions;
pub use feed::ExtensionSink;
pub use grants::{Grant, Grants};
pub use hooks::ExtensionHooks;
pub use permission::describe;
pub use permit::covers_host;
pub use ports::{
    Environment, ExtensionSettings, Fetch, FetchError, FetchRequest, FetchResponse, MayReach, Ports,
};
pub use source::{Program, Source, SourceError, discover, name_of};
pub use state::{State, StateError, sidecar};
