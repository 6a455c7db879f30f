//! The sessions over the Agent Client Protocol, version 1: JSON-RPC in lines on a pair of streams.
//!
//! From the outside in: [`frames`] cuts the input into messages without I/O, [`serve`] reads them in order and gives
//! requests to lanes, [`agent`] validates and hands over to the sessions, [`peer`] holds everything on its way to the
//! client and the requests that it has not answered, [`pump`] writes, and [`teller`] makes updates of events. [`editor`]
//! asks the client about files and questions. The events are those of every other front end; nothing is told that they do
//! not tell. The crate reads no files of the user and knows no model.

mod agent;
mod application;
mod content;
mod editor;
mod error;
mod folder;
mod frames;
mod options;
mod peer;
mod prompts;
mod pump;
mod serve;
mod teller;

pub use application::{Application, Opening, Workplace};
pub use serve::serve;
