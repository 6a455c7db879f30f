//! Resources of servers as mentions: `@mcp:SERVER:URI`.

use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{ErrorKind, KitError};
use rmcp::model::{ClientRequest, ReadResourceRequest, ReadResourceRequestParams, ServerResult};

use super::content::{self, McpContent};
use super::hub::McpServers;
use super::server::Server;
use crate::caps;

/// How long a prompt waits for the server of a mention.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a resource may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A resource of a server, or the template of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpResource {
    /// What stands behind `@mcp:`.
    pub name: String,
    /// A word for people.
    pub description: String,
}

/// What stands behind `@mcp:`.
pub(super) fn mention(server: &str, uri: &str) -> String {
    format!("{}:{uri}", content::word(server))
}

impl McpServers {
    /// The resources whose name begins with what was typed. Starts servers that nothing needed yet.
    pub fn resources(&self, typed: &str) -> Vec<McpResource> {
        self.wake();
        let mut found = Vec::new();
        for server in self.servers() {
            let offers = Arc::clone(&server.status.borrow().offers);
            for resource in &offers.resources {
                let name = mention(&server.name, &resource.uri);
                if !name.starts_with(typed) {
                    continue;
                }
                let description = if resource.is_template {
                    format!("{} (fill in what stands in braces)", resource.description)
                } else {
                    resource.description.clone()
                };
                found.push(McpResource { name, description });
            }
        }
        found
    }

    /// The server and the address that a mention names.
    pub(super) fn place_of<'a>(&self, name: &'a str) -> Option<(Arc<Server>, &'a str)> {
        let (server, uri) = name.split_once(':')?;
        let known = self.servers().into_iter().find(|known| content::word(&known.name) == server)?;
        Some((known, uri))
    }

    /// What a resource holds, by what stands behind `@mcp:`.
    pub async fn resource(&self, name: &str) -> Result<McpContent, KitError> {
        self.wake();
        let unavailable = |text: String| KitError::new(ErrorKind::Unavailable, text);
        let Some((server, uri)) = self.place_of(name) else {
            let text = format!("no MCP server has {name}; a resource is named SERVER:ADDRESS");
            return Err(KitError::new(ErrorKind::NotFound, text));
        };
        let connection = server.connection(PATIENCE).await.map_err(unavailable)?;
        let params = ReadResourceRequestParams::new(uri);
        let request = ClientRequest::ReadResourceRequest(ReadResourceRequest::new(params));
        match server.ask(&connection, request, LIMIT).await {
            Ok(ServerResult::ReadResourceResult(result)) => Ok(content::resource(&result)),
            Ok(_) => Err(unavailable(format!("the MCP server {} answered with no resource", server.name))),
            Err(error) => Err(unavailable(format!(
                "the MCP server {} did not give the resource: {}",
                server.name,
                caps::line(&error.to_string(), 500)
            ))),
        }
    }
}
