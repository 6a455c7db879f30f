//! What the host of extensions is given by whoever assembles the product.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use kit_session::Sink;
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{Paths, Trust, Workspace};

/// Reads an environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Everything that extensions reach through their host.
pub struct Ports {
    /// Where files are kept.
    pub paths: Paths,
    /// Roots, files and the editor.
    pub workspace: Arc<Workspace>,
    /// Where tools of extensions are registered.
    pub tools: Arc<Registry>,
    /// Limits of commands that extensions run.
    pub tool_settings: Arc<ToolSettings>,
    /// What the user's rules forbid, for extensions as well.
    pub policy: Arc<Policy>,
    /// Where files that are wrong are shown, and what extensions show.
    pub sink: Arc<dyn Sink>,
    /// Requests over HTTP.
    pub fetch: Arc<dyn Fetch>,
    /// Which projects are trusted.
    pub trust: Trust,
    /// The environment.
    pub environment: Environment,
    /// Whether a person can be asked.
    pub interactive: bool,
}

/// What the settings say about extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionSettings {
    /// Files and folders beside the usual ones.
    pub named: Vec<PathBuf>,
    /// Values of options.
    pub options: BTreeMap<String, String>,
    /// Whether no extension is loaded.
    pub disabled: bool,
}

/// Whether a request may go to a host and port; the last is whether the port is the usual one.
pub type MayReach = dyn Fn(&str, u16, bool) -> bool + Send + Sync;

/// A request over HTTP.
pub struct FetchRequest {
    /// The address.
    pub url: String,
    /// The method.
    pub method: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The time for all of it.
    pub timeout: Duration,
    /// The largest body of an answer.
    pub largest: usize,
    /// Whether it may go there, asked again for each redirection.
    pub allowed: Arc<MayReach>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The status code.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// Where it comes from after redirections.
    pub url: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address leads to a host that is not allowed.
    #[error(
        "requests to {0} were not granted; the extension must ask for them by the permission http: [\"{0}\"], and its user grant that"
    )]
    Denied(String),
    /// The address or a header cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// It took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Requests over HTTP.
pub trait Fetch: Send + Sync {
    /// Sends one.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<FetchResponse, FetchError>>;
}
