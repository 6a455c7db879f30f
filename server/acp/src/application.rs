//! What the front end needs of the program around it.

use std::sync::Arc;

use futures::future::BoxFuture;
use kit_protocol::{KitError, Trust};
use kit_session::{Sessions, Sink};
use kit_workspace::{Editor, Root, Workspace};
use serde_json::Value;

/// What a folder is opened with.
pub struct Opening {
    /// The folder that sessions work in, and further ones.
    pub roots: Vec<Root>,
    /// Settings of the highest priority: the client's MCP servers.
    pub options: Value,
    /// The client's name and version, for the log.
    pub client: String,
    /// How to reach the client's files and its user.
    pub editor: Arc<dyn Editor>,
    /// Where events go.
    pub sink: Arc<dyn Sink>,
}

/// Builds everything behind the protocol; implemented by the binary.
pub trait Application: Send + Sync + 'static {
    /// Opens a folder, with the settings, rules and extensions that hold there. Must return within milliseconds.
    fn open(&self, opening: Opening) -> Result<Arc<dyn Workplace>, KitError>;

    /// Whether the model that new sessions use can be used; an error names the mend.
    fn signed_in(&self) -> BoxFuture<'_, Result<(), KitError>>;
}

/// An open folder with its sessions.
pub trait Workplace: Send + Sync {
    /// The sessions.
    fn sessions(&self) -> &Arc<Sessions>;
    /// The roots and files.
    fn workspace(&self) -> &Arc<Workspace>;
    /// What is wrong with the settings, a sentence each.
    fn problems(&self) -> Vec<String>;
    /// Trusts a root or takes that back.
    fn trust(&self, trust: Trust) -> Result<Trust, KitError>;
    /// Ends sessions and extensions.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}
