//! Tools: what they are, whether a call may run, the built-in ones, and how processes are run.
//!
//! A model's call enters through [`run_call`], which parses the arguments, asks the [`Policy`] and, where it says so,
//! the user, and runs the tool to exactly one outcome. The [`Registry`] holds the tools of a session; the built-in ones
//! read and change files through the workspace only, so that the open document is always the truth, and run commands
//! through one module that ends every process it started. The crate knows no models and no LSP.

mod arguments;
mod bash;
mod call;
pub mod caps;
mod command_line;
pub mod diagnostics;
mod diff_report;
mod edit;
mod exec;
mod find;
mod gate;
mod grep;
mod ls;
pub mod mcp;
pub mod media;
mod policy;
mod question;
mod quiet;
mod read;
mod registry;
pub mod sandbox;
mod settings;
mod shell;
mod tool;
mod write;

pub use call::run_call;
pub use command_line::{CommandEnd, CommandLine, run_command};
pub use gate::{CallGate, GatedCall, Passage};
pub use policy::{Call, Decision, Effect, InvalidRule, Policy, RuleLayer, RuleProblem, Suggestion};
pub use quiet::{Printed, printed_by};
pub use registry::{Arrivals, Definition, Registry, ToolSource};
pub use settings::{Confinement, ToolSettings};
pub use tool::{Access, AnyTool, OutputSink, Tool, ToolContext, ToolError, ToolOutput};
