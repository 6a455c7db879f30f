//! `kit-ls acp` as the protocol's own SDK sees it: sessions, prompts, tool calls, questions, files, and what goes wrong.
//! Whatever the SDK's schema does not allow fails a test.

mod content;
mod files;
mod questions;
mod servers;
mod sessions;
mod turns;

use std::path::PathBuf;

use e2e::{editor_or_skip, launch};
use kit_testkit::{AcpClient, Launch, ModelServer, Project};
use serde_json::{Value, json};

/// Everything that a test of this protocol begins with.
struct Bench {
    project: Project,
    model: ModelServer,
    program: PathBuf,
}

impl Bench {
    /// `None` where the SDK cannot be installed.
    async fn new() -> Option<Bench> {
        let program = editor_or_skip("acp")?;
        Some(Bench { project: Project::new(), model: ModelServer::start().await, program })
    }

    fn launch(&self) -> Launch {
        launch(&self.project, &self.model)
    }

    /// A client that offers neither files nor anything else.
    async fn plain(&self) -> AcpClient {
        AcpClient::start(&self.program, &self.launch(), json!({})).await
    }

    /// A client and a session of it in the project's folder.
    async fn begin(&self) -> (AcpClient, String) {
        let client = self.plain().await;
        let session = client.session(&self.project.root()).await;
        (client, session)
    }
}

/// The updates about one tool call, the call itself first.
fn about(client: &AcpClient, session: &str, title: &str) -> Vec<Value> {
    let updates = client.updates(session);
    let call = updates.iter().find(|update| {
        update["sessionUpdate"] == "tool_call"
            && update["title"].as_str().is_some_and(|shown| shown.contains(title))
    });
    let id = call.unwrap_or_else(|| panic!("no call {title} in {updates:#?}"))["toolCallId"].clone();
    updates.into_iter().filter(|update| update["toolCallId"] == id).collect()
}

/// The final statuses of a tool call.
fn final_statuses(updates: &[Value]) -> Vec<String> {
    let statuses = updates.iter().filter_map(|update| update["status"].as_str());
    statuses.filter(|status| ["completed", "failed"].contains(status)).map(str::to_owned).collect()
}
