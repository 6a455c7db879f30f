//! The client of the Model Context Protocol: servers of the settings, their tools, prompts and resources.
//!
//! [`McpServers`] holds the servers that [`McpServers::apply`] names. Nothing is started before something needs it: a
//! turn, a list of commands, a mention, or a command about the servers ([`McpServers::wake`]). From then on each server
//! has a task (`server`) that connects (`connect`), lists what the server offers (`offers`), keeps the tools of the
//! [`Registry`](crate::Registry) as the server has them (`tool`), and connects again when it is gone. A turn waits for
//! servers that are being started, but no longer than [`PATIENCE`] after their start.
//!
//! Whatever a server does wrong — it hangs, ends, floods, or answers with what is none — ends the call that waits for it
//! with one sentence, and nothing else. What it sends into a context, a list or the log has a cap (I20). Its processes end
//! with it (I22). Values of the settings that may be secrets are shown nowhere, also where its output repeats them (I23).

mod ask;
mod client;
mod config;
#[allow(clippy::wildcard_enum_match_arm, reason = "the errors of the library are many and may become more")]
mod connect;
mod content;
mod elicit;
mod guard;
mod hub;
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the notifications of the library are many and may become more"
)]
mod listen;
#[allow(clippy::wildcard_enum_match_arm, reason = "the errors of the library are many and may become more")]
mod login;
mod offers;
mod prompts;
#[allow(clippy::wildcard_enum_match_arm, reason = "the errors of the library are many and may become more")]
mod remote;
mod resources;
mod secret;
mod server;
mod stderr;
#[allow(clippy::wildcard_enum_match_arm, reason = "the errors of the library are many and may become more")]
mod tool;
mod watch;

pub use content::McpContent;
pub use hub::{EnvironmentLookup, HttpClients, McpPorts, McpServers, PATIENCE, Redirections};
pub use login::{LoginPage, LoginStore, StoreLock};
pub use prompts::McpPrompt;
pub use resources::McpResource;
pub use watch::ResourceWatch;
