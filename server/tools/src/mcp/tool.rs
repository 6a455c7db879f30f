//! One tool of a server as models call it.

use std::borrow::Cow;
use std::sync::Weak;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::ToolKind;
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest, PingRequest, ServerResult};
use rmcp::service::{PeerRequestOptions, ServiceError};
use serde_json::Value;

use super::config;
use super::connect::Connection;
use super::content;
use super::offers::ToolOffer;
use super::server::Server;
use crate::arguments;
use crate::caps;
use crate::tool::{Access, AnyTool, ToolContext, ToolError, ToolOutput};

/// How long a call waits for a server that is being connected.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest call, whatever progress it shows.
const LONGEST_CALL: Duration = Duration::from_secs(60 * 60);
/// How long a server may take to answer whether it lives.
const PULSE: Duration = Duration::from_secs(5);
/// Bytes of an error of a server.
const LONGEST_ERROR: usize = 2000;

/// One tool.
pub(super) struct McpTool {
    server: Weak<Server>,
    offer: ToolOffer,
}

impl McpTool {
    pub(super) fn new(server: Weak<Server>, offer: ToolOffer) -> Self {
        Self { server, offer }
    }

    async fn run(&self, arguments: String, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let gone =
            || ToolError::Failed(format!("the MCP server of {} is not there any more", self.offer.name));
        let server = self.server.upgrade().ok_or_else(gone)?;
        let given = match arguments::parse(&arguments)? {
            Value::Object(given) => given,
            Value::Null => serde_json::Map::new(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(ToolError::Arguments("they must be an object".to_owned()));
            }
        };
        let connection = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(ToolError::Cancelled),
            connection = server.connection(PATIENCE) => connection.map_err(ToolError::Failed)?,
        };
        let params = CallToolRequestParams::new(self.offer.own_name.clone()).with_arguments(given);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let silence = config::call_timeout(&server.settings);
        let options = PeerRequestOptions::with_timeout(silence)
            .reset_timeout_on_progress()
            .with_max_total_timeout(LONGEST_CALL.max(silence));
        let handle = connection.peer.send_request_with_option(request, options).await;
        let handle = match handle {
            Ok(handle) => handle,
            Err(error) => return Err(self.failed(&server, &connection, &error).await),
        };
        let id = handle.id.clone();
        let _following = connection.client.follow(handle.progress_token.clone(), context.output.clone());
        let answered = tokio::select! {
            biased;
            answered = handle.await_response() => answered,
            () = context.cancel.cancelled() => {
                connection.withdraw(id).await;
                return Err(ToolError::Cancelled);
            }
            () = connection.ended.cancelled() => Err(ServiceError::TransportClosed),
        };
        match answered {
            // Images are many bytes to look at.
            Ok(ServerResult::CallToolResult(result)) => {
                let read = tokio::task::spawn_blocking(move || content::output(&result)).await;
                read.map_err(|error| ToolError::Failed(error.to_string()))
            }
            Ok(_) => Err(ToolError::Failed(format!(
                "the MCP server {} answered with something that is no result of a tool",
                server.name
            ))),
            Err(error) => {
                if matches!(error, ServiceError::Timeout { .. }) {
                    take_pulse(&server, &connection);
                }
                Err(self.failed(&server, &connection, &error).await)
            }
        }
    }

    /// Why a call failed, and what follows for the connection.
    async fn failed(&self, server: &Server, connection: &Connection, error: &ServiceError) -> ToolError {
        let name = &server.name;
        let text = match error {
            ServiceError::McpError(error) => {
                format!(
                    "the MCP server {name} refused the call: {}",
                    caps::line(&error.message, LONGEST_ERROR)
                )
            }
            ServiceError::Timeout { timeout } => format!(
                "the MCP server {name} was silent for {} s, so the call was given up; `timeout` in its settings allows more",
                timeout.as_secs()
            ),
            ServiceError::TransportSend(_) | ServiceError::TransportClosed => {
                if let Some(challenge) = connection.wants_login(error) {
                    server.wants_login(challenge);
                    return ToolError::Failed(server.login_sentence());
                }
                let why = connection.why(error).await;
                connection.broken.cancel();
                format!("the MCP server {name} ended while it was called: {why}")
            }
            _ => format!(
                "the call to the MCP server {name} failed: {}",
                caps::line(&error.to_string(), LONGEST_ERROR)
            ),
        };
        ToolError::Failed(text)
    }
}

/// Connects again when a server that was silent does not answer a ping either.
fn take_pulse(server: &Server, connection: &Connection) {
    let (peer, broken) = (connection.peer.clone(), connection.broken.clone());
    server.in_background(async move {
        let options = PeerRequestOptions::with_timeout(PULSE);
        let ping = ClientRequest::PingRequest(PingRequest::default());
        let answered = match peer.send_request_with_option(ping, options).await {
            Ok(handle) => handle.await_response().await,
            Err(error) => Err(error),
        };
        // A server that does not know pings answers, too.
        if matches!(answered, Err(ServiceError::Timeout { .. } | ServiceError::TransportClosed)) {
            broken.cancel();
        }
    });
}

impl AnyTool for McpTool {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.offer.name)
    }

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.offer.description)
    }

    fn input_schema(&self) -> Value {
        self.offer.schema.clone()
    }

    /// Nobody knows what it does; what the server says of it is shown and not believed.
    fn kind(&self) -> ToolKind {
        ToolKind::Execute
    }

    fn parallel(&self) -> bool {
        false
    }

    fn title(&self, _arguments: &Value, _context: &ToolContext) -> String {
        let server = self.server.upgrade().map(|server| server.name.clone()).unwrap_or_default();
        let title = self.offer.title.as_deref().unwrap_or(&self.offer.own_name);
        let hint = if self.offer.reads_only { " (says that it only reads)" } else { "" };
        format!("{server}: {title}{hint}")
    }

    fn access(&self, _arguments: &Value, _context: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Other { subject: self.offer.name.clone() })
    }

    fn call(&self, arguments: String, context: ToolContext) -> BoxFuture<'_, ToolOutput> {
        async move { self.run(arguments, context).await.unwrap_or_else(ToolOutput::from) }.boxed()
    }
}
