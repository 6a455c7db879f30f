//! Session actor, pure turn machine, history tree, JSONL journal and usage.

mod attention;
mod board;
mod clock;
mod compose;
mod conversation;
mod day;
mod desk;
mod error;
mod history;
mod journal;
mod markdown;
mod replay;
mod sink;
mod stream;
mod system;
mod turn;
mod usage;

pub use attention::Attention;
pub use desk::ReviewDesk;
pub use error::JournalError;
pub use sink::Sink;
