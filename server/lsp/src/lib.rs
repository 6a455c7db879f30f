//! The language server: tower-lsp 0.20 behind the transport guard, the command table, conversions to and from LSP, the
//! outbound pump and the `Editor` port over LSP.
//!
//! From the outside in: [`frames`] cuts stdin into checked frames, tower-lsp decodes them, [`guard`] applies documents
//! in wire order and isolates handlers, [`backend`] validates and hands over, [`pump`] and [`progress`] send what the
//! sessions emit, [`editor`] asks the editor, [`window`] shows pages and work beside turns. LSP types exist in this crate
//! alone (invariant I1); it reads no files of the user and knows no model.

mod actions;
mod backend;
mod commands;
mod convert;
mod editor;
mod error;
mod frames;
mod guard;
mod parent;
mod problems;
mod progress;
mod pump;
mod record;
mod replay;
mod serve;
mod shared;
mod synchronize;
mod transport;
mod trust;
mod window;

pub use replay::{ReplayReport, replay};
pub use serve::{ServeError, serve};
pub use shared::{Application, AuthCommand, ExtensionDesk, McpDesk, Running, SettingsChange, Startup};
pub use transport::Ended;
pub use window::{NoWindow, Weight, Window, Work};
