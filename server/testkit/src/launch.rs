//! How a `kit-ls` is started for a test: a clean environment, planted keys, capabilities and settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cache;
use crate::client::LanguageClient;
use crate::documents::Encoding;
use crate::model::ModelServer;
use crate::project::{Project, file_uri};
use crate::wire::Wire;

/// Keys that are planted in the environment and must never be seen in traffic, files or logs.
pub(crate) const PLANTED: [(&str, &str); 3] = [
    ("ANTHROPIC_API_KEY", "planted-secret-for-anthropic-0d5f"),
    ("OPENAI_API_KEY", "planted-secret-for-openai-77ab"),
    ("KIT_TEST_UNRELATED_TOKEN", "planted-secret-of-someone-else-c2e1"),
];

/// What the client offers in its capabilities.
#[derive(Clone, Debug, PartialEq)]
pub enum Profile {
    /// Every capability of `protocol.md`: a client of ours.
    Full,
    /// Plain LSP with versioned edits, progress and message requests: any other editor.
    Bare,
    /// These capabilities and nothing else.
    Custom(Value),
}

impl Profile {
    fn capabilities(&self, encodings: &[Encoding]) -> Value {
        let encodings: Vec<&str> = encodings.iter().map(|encoding| encoding.name()).collect();
        let plain = json!({
            "general": { "positionEncodings": encodings },
            "workspace": {
                "applyEdit": true,
                "workspaceFolders": true,
                "codeLens": { "refreshSupport": true },
                "workspaceEdit": {
                    "documentChanges": true,
                    "resourceOperations": ["create", "rename", "delete"],
                    "failureHandling": "abort",
                    "changeAnnotationSupport": { "groupsOnLabel": true },
                },
            },
            "textDocument": {
                "synchronization": { "didSave": true },
                "codeAction": { "codeActionLiteralSupport": { "codeActionKind": { "valueSet": ["", "quickfix", "refactor", "refactor.rewrite", "source"] } } },
                "codeLens": {},
            },
            "window": { "workDoneProgress": true, "showMessage": { "messageActionItem": { "additionalPropertiesSupport": true } }, "showDocument": { "support": true } },
        });
        match self {
            Profile::Bare => plain,
            Profile::Custom(value) => value.clone(),
            Profile::Full => {
                let mut full = plain;
                full["experimental"] = json!({ "kit": {
                    "version": 1, "events": true, "status": true, "review": true, "permission": true,
                    "ask": true, "save": true, "diagnostics": true, "ui": true,
                } });
                full
            }
        }
    }
}

/// What a run of the program left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// A server about to be started.
#[derive(Debug)]
pub struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) root: PathBuf,
    pub(crate) kit_home: PathBuf,
    pub(crate) profile: Profile,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) settings: Value,
    pub(crate) trusted: bool,
    pub(crate) parent: Option<u32>,
}

impl Launch {
    /// A server for this project, with no key, no model and every capability.
    pub fn new(project: &Project) -> Self {
        let mut environment = BTreeMap::new();
        for name in ["PATH", "TMPDIR", "LANG", "SYSTEMROOT", "TEMP", "TMP", "LLVM_PROFILE_FILE"] {
            if let Ok(value) = std::env::var(name) {
                environment.insert(name.to_owned(), value);
            }
        }
        let home = project.home().display().to_string();
        environment.insert("HOME".into(), home.clone());
        environment.insert("USERPROFILE".into(), home);
        environment.insert("KIT_HOME".into(), project.kit_home().display().to_string());
        let (name, secret) = PLANTED[2];
        environment.insert(name.into(), secret.into());
        Launch {
            program: PathBuf::new(),
            arguments: Vec::new(),
            environment,
            root: project.root(),
            kit_home: project.kit_home(),
            profile: Profile::Full,
            encodings: vec![Encoding::Utf16],
            settings: json!({}),
            trusted: true,
            parent: Some(std::process::id()),
        }
    }

    /// Points the provider of `wire` at the model server, plants its key and chooses a model of it.
    pub fn model(self, server: &ModelServer, wire: Wire) -> Self {
        self.model_at(&server.url(), wire)
    }

    /// Points the provider of `wire` at another server that speaks it, and plants its key.
    pub fn model_at(self, address: &str, wire: Wire) -> Self {
        wire.environment(address)
            .into_iter()
            .fold(self, |launch, (name, value)| launch.env(&name, &value))
            .setting("model", json!(wire.model()))
    }

    /// Sets a variable of the server's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Takes a variable away from the server's environment.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Adds a setting to the `initializationOptions`.
    pub fn setting(mut self, key: &str, value: Value) -> Self {
        self.settings[key] = value;
        self
    }

    /// Starts another build of the server.
    pub fn program(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    /// Adds a command-line argument.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Offers other capabilities.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Offers these position encodings, in order of preference.
    pub fn encodings(mut self, encodings: &[Encoding]) -> Self {
        self.encodings = encodings.to_vec();
        self
    }

    /// Opens another folder as the workspace root.
    pub fn root(mut self, root: PathBuf) -> Self {
        self.root = root;
        self
    }

    /// Names another process as the parent in the handshake, or none.
    pub fn parent(mut self, parent: Option<u32>) -> Self {
        self.parent = parent;
        self
    }

    /// Leaves the workspace untrusted; otherwise the client trusts it after the handshake.
    pub fn untrusted(mut self) -> Self {
        self.trusted = false;
        self
    }

    /// Starts the process and nothing more.
    pub async fn spawn(mut self) -> LanguageClient {
        if self.program.as_os_str().is_empty() {
            self.program = cache::kit_ls();
        }
        LanguageClient::spawn(self).await
    }

    /// Starts the process, shakes hands and trusts the workspace.
    pub async fn start(self) -> LanguageClient {
        let parameters = self.initialize_parameters();
        let trust = self.trusted.then(|| file_uri(&self.root));
        let client = self.spawn().await;
        let answer = client.request("initialize", parameters).await;
        client.adopt_capabilities(&answer.expect("initialize succeeds"));
        client.notify("initialized", json!({}));
        if let Some(root) = trust {
            client
                .command("kit.trust.set", json!({ "root": root, "trusted": true }))
                .await
                .expect("a root can be trusted");
        }
        client
    }

    /// Runs the program to its end with these words on its command line, in the workspace root. Settings go into the
    /// user's file; nothing is on stdin.
    pub async fn run(&self, words: &[&str]) -> Finished {
        let settings = self.kit_home.join(".kit.json");
        std::fs::create_dir_all(&self.kit_home).expect("the home can be made");
        std::fs::write(settings, self.settings.to_string()).expect("settings can be written");
        let program =
            if self.program.as_os_str().is_empty() { cache::kit_ls() } else { self.program.clone() };
        let output = tokio::process::Command::new(program)
            .args(&self.arguments)
            .args(words)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.root)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(crate::wait::deadline(), output)
            .await
            .expect("the program ends")
            .expect("it starts");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }

    /// The parameters of `initialize`.
    pub fn initialize_parameters(&self) -> Value {
        let uri = file_uri(&self.root);
        json!({
            "processId": self.parent,
            "clientInfo": { "name": "kit-testkit", "version": env!("CARGO_PKG_VERSION") },
            "rootUri": uri,
            "workspaceFolders": [{ "uri": uri, "name": "work" }],
            "capabilities": self.profile.capabilities(&self.encodings),
            "initializationOptions": self.settings,
        })
    }
}
