//! Black-box tests of the built `kit-ls`: LSP traffic, files on disk and exit codes are all that they see.

mod aimock;
mod aimock_wires;
mod bare_client;
mod budget;
mod cancel;
mod compaction;
mod context;
mod edits;
mod extension_commands;
mod files;
mod headless;
mod model_settings;
mod models_bad_input;
mod neovim;
mod permissions;
mod prompt;
mod queue;
mod review;
mod review_restart;
mod sessions;
mod skills;
mod templates;
mod tools;
mod transport;
mod trust;
mod usage;
