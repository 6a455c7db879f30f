//! Everything that the black-box tests need around a `kit-ls`: a fake editor that really applies edits, a model server
//! whose every chunk can be held back, and a driver for a real Neovim.
//!
//! The kit checks the rules that hold for every run, so each test guards all of them: every byte of the server's output
//! is a frame, every request gets one answer, `seq` has no gaps, no request of the server stays unclaimed, no planted
//! secret is seen anywhere, and every tool call that a model is shown has exactly one result. Waiting always has a
//! deadline and ends with the tail of the traffic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test kit fails by panicking, with a message for the reader of the test"
)]

mod acp;
mod aimock;
pub mod cache;
mod checks;
mod client;
mod documents;
mod editor;
mod frame;
mod keyring;
mod kit_nvim;
mod launch;
mod llama;
mod model;
mod nasty;
mod nvim;
mod oidc;
mod processes;
mod program;
mod project;
mod screen;
mod script;
mod tiny_model;
mod transcript;
mod turn;
mod user;
mod wait;
mod wire;

pub use acp::{AcpAnswer, AcpBehavior, AcpClient, AcpOutcome, AcpTicket, chosen, text_block};
pub use aimock::Aimock;
pub use client::{LanguageClient, ResponseError};
pub use documents::{Document, Encoding, offset, position};
pub use editor::{Answer, Applied, Apply, Behavior};
pub use keyring::{Door, Keyring};
pub use kit_nvim::KitNvim;
pub use launch::{Finished, Launch, Profile};
pub use llama::{LLAMA_CONTEXT, Llama};
pub use model::{ModelServer, Recorded};
pub use nasty::nasty_mcp;
pub use nvim::{Nvim, NvimOptions};
pub use oidc::Oidc;
pub use processes::processes_below;
pub use program::Program;
pub use project::{Project, file_uri, uri_path};
pub use screen::{Cell, Screen, Style};
pub use script::{Gate, Reply, TokenCount};
pub use tiny_model::Habit;
pub use turn::{Turn, TurnReport};
pub use wait::{deadline, eventually};
pub use wire::{Item, Wire};
