//! Session actor, pure turn machine, history tree, JSONL journal and usage.

mod clock;
mod conversation;
mod day;
mod error;
mod history;
mod journal;
mod replay;
mod sink;
mod stream;
mod turn;
mod usage;

pub use error::JournalError;
pub use sink::Sink;
