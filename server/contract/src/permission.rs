//! What an extension may reach outside the agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an extension asks for, and what a user grants: everything that is not listed is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// Hosts that it may fetch from: `api.example.com`, `*.example.com`, with `:port` where it is not the usual one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Commands that it may run, by their beginning: `git status`, `git *`, `cargo test *`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// Files and folders, relative to the workspace folder.
    #[serde(skip_serializing_if = "FilePermissions::is_empty")]
    pub fs: FilePermissions,
    /// Environment variables that it may read, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
}

/// Which files an extension may read and write: paths of files or folders, or globs such as `docs/**/*.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilePermissions {
    /// What it may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// What it may write; this does not include reading.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<String>,
}

impl FilePermissions {
    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.read.is_empty() && self.write.is_empty()
    }
}

impl Permissions {
    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.exec.is_empty() && self.fs.is_empty() && self.env.is_empty()
    }
}
