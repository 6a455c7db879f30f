//! Parameters and results of host methods.

mod agent;
mod session;
mod system;
mod text;
mod ui;

pub use agent::*;
pub use session::*;
pub use system::*;
pub use text::*;
pub use ui::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of methods without any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoParameters {}
