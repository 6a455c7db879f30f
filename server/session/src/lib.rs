//! Session actor, pure turn machine, history tree, JSONL journal and usage.

mod clock;
mod error;
mod history;
mod journal;
mod sink;
mod turn;

pub use error::JournalError;
pub use sink::Sink;
