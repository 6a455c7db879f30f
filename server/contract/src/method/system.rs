//! Files, the network, commands and the environment, as far as the user granted them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

data! {
    /// A file to read. Unsaved text of an open document comes before the disk.
    ReadFileParameters {
        /// The path, relative to the session's folder.
        path: String,
    }

    /// The text of a file.
    ReadFileResult {
        /// The text.
        text: String,
    }

    /// A file to write. An open document is edited, and the change can be reviewed like one of the agent.
    WriteFileParameters {
        /// The path, relative to the session's folder.
        path: String,
        /// The whole new text.
        text: String,
    }

    /// What was written.
    WriteFileResult {
        /// Whether the file is new.
        created: bool,
    }

    /// A folder to list.
    ListFilesParameters {
        /// The path, relative to the session's folder.
        path: String,
    }

    /// Something in a folder.
    FileEntry {
        /// Its name.
        name: String,
        /// `file`, `directory`, `link` or `other`.
        kind: String,
    }

    /// What is known about a path.
    FileInfo {
        /// Whether there is anything.
        exists: bool,
        /// `file`, `directory`, `link` or `other`; empty where there is nothing.
        kind: String,
        /// Bytes.
        size: u64,
        /// Last change in milliseconds since 1970.
        modified_ms: i64,
    }

    /// A request over HTTP.
    FetchParameters {
        /// The address, `https://…` or `http://…`.
        url: String,
        /// The method; `GET` otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        /// Headers by name.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body as text; `call-bytes` takes bytes instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// The limit; 30 seconds otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    }

    /// A response over HTTP, whatever its status.
    FetchResult {
        /// The status code.
        status: u16,
        /// Headers by lower-case name.
        headers: BTreeMap<String, String>,
        /// The body as text; empty when asked through `call-bytes`.
        body: String,
        /// Where it comes from after redirections.
        url: String,
    }

    /// A command to run. It is confined as commands of the agent are.
    RunParameters {
        /// The command line.
        command: String,
        /// Its folder, relative to the session's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
        /// The limit; two minutes otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
        /// Its output comes in pieces as well, as events `stream.chunk` with this id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<String>,
    }

    /// How a command ended.
    RunResult {
        /// Standard output, the end of it where it is long.
        stdout: String,
        /// Standard error, the end of it where it is long.
        stderr: String,
        /// The exit code; -1 where a signal ended it.
        exit_code: i32,
        /// Whether its limit ended it.
        timed_out: bool,
    }

    /// A pause.
    SleepParameters {
        /// How long.
        ms: u64,
    }

    /// Names an environment variable.
    EnvironmentParameters {
        /// The name.
        name: String,
    }
}
