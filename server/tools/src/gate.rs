//! The port for those who look at tool calls from outside: extensions, in a session.
//!
//! A gate sees a call that the rules do not deny, before the user is asked about it, and may stop it; it sees the result
//! of a call that ran, before the model reads it, and may change it. It may wait for people: a cancel of the call drops
//! its future.

use futures::future::BoxFuture;
use kit_protocol::{ToolCallId, ToolKind};
use serde_json::Value;

use crate::tool::ToolOutput;

/// A call as a gate sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct GatedCall {
    /// The call.
    pub id: ToolCallId,
    /// The tool.
    pub name: String,
    /// What it does.
    pub kind: ToolKind,
    /// The arguments as JSON text.
    pub arguments: String,
    /// The same, parsed.
    pub parsed: Value,
}

/// Whether a gate lets a call pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It may go on to the question and the run.
    Open,
    /// It must not run; the model reads the reason.
    Closed {
        /// Why.
        reason: String,
    },
}

/// Looks at calls before and after they run.
pub trait CallGate: Send + Sync {
    /// A call before the user is asked.
    fn before(&self, call: GatedCall) -> BoxFuture<'_, Passage>;

    /// The result of a call that ran. Metadata of the answer is ignored: it is a fact and stays as it is.
    fn after(&self, call: GatedCall, output: ToolOutput) -> BoxFuture<'_, ToolOutput>;
}
