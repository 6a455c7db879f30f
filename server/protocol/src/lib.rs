//! Ids, events, settings and wire shapes as plain data, with their JSON schema.
//!
//! Everything that crosses a process boundary is defined here once: the server, the headless runner, the session
//! files and the clients' generated types all read these structs. The crate does no I/O and knows no LSP types.
//! JSON is camelCase; money is integer micro-USD; line ranges are `[start, end)`, zero-based; unknown fields of
//! notifications are ignored, unknown fields of command arguments are errors.

mod agent;
mod auth;
mod command;
mod command_table;
mod content;
mod error;
mod event;
mod extension;
mod fields;
mod id;
mod mcp;
mod message;
mod model;
mod named_command;
mod plan;
mod question;
mod queue;
mod review;
pub mod schema;
mod settings;
mod status;
mod tool;
mod ui;
mod usage;

pub use agent::*;
pub use auth::*;
pub use command::*;
pub use command_table::*;
pub use content::*;
pub use error::*;
pub use event::*;
pub use extension::*;
pub use fields::field_names;
pub use id::*;
pub use mcp::*;
pub use message::*;
pub use model::*;
pub use named_command::*;
pub use plan::*;
pub use question::*;
pub use queue::*;
pub use review::*;
pub use settings::*;
pub use status::*;
pub use tool::*;
pub use ui::*;
pub use usage::*;

/// The major version of the protocol.
pub const PROTOCOL_VERSION: u32 = 1;
