//! The MCP servers that a client passes with a session, as the setting that names servers. What the client passes is meant
//! as it is: nothing in it stands for a variable or a command of this machine.

use agent_client_protocol_schema::v1::McpServer;
use kit_protocol::KitError;
use serde_json::{Map, Value, json};

use crate::error::{invalid, to_value};

/// The settings that name these servers; none without any.
pub(super) fn settings(servers: &[McpServer]) -> Result<Value, KitError> {
    let mut named = Map::new();
    for server in servers {
        let (name, described) = match server {
            McpServer::Stdio(stdio) => {
                if stdio.command.as_os_str().is_empty() {
                    return Err(invalid(format!("the MCP server {} has no command", stdio.name)));
                }
                let env = stdio.env.iter().map(|variable| (variable.name.clone(), json!(variable.value)));
                let env: Map<String, Value> = env.collect();
                let command = stdio.command.to_string_lossy();
                (
                    &stdio.name,
                    json!({"type": "local", "command": [command], "args": stdio.args, "env": env, "literal": true}),
                )
            }
            McpServer::Http(http) => {
                let headers = http.headers.iter().map(|header| (header.name.clone(), json!(header.value)));
                let headers: Map<String, Value> = headers.collect();
                (&http.name, json!({"type": "remote", "url": http.url, "headers": headers, "literal": true}))
            }
            McpServer::Sse(sse) => {
                let sentence = format!(
                    "the MCP server {} speaks SSE, which is not spoken here; use its streamable HTTP address",
                    sse.name
                );
                return Err(invalid(sentence));
            }
            other => {
                return Err(invalid(format!("an MCP server is of an unknown kind: {}", to_value(other))));
            }
        };
        if name.trim().is_empty() {
            return Err(invalid("an MCP server has no name"));
        }
        named.insert(name.clone(), described);
    }
    Ok(if named.is_empty() { Value::Null } else { json!({"mcpServers": named}) })
}

#[cfg(test)]
mod tests {
    use agent_client_protocol_schema::v1::{
        EnvVariable, HttpHeader, McpServerHttp, McpServerSse, McpServerStdio,
    };

    use super::*;

    #[test]
    fn servers_become_settings() {
        let stdio = McpServerStdio::new("git", "/bin/git-server")
            .args(vec!["-v".to_owned()])
            .env(vec![EnvVariable::new("A", "b")]);
        let http = McpServerHttp::new("web", "https://example.org/mcp")
            .headers(vec![HttpHeader::new("Authorization", "Bearer x")]);
        let expected = json!({"mcpServers": {
            "git": {"type": "local", "command": ["/bin/git-server"], "args": ["-v"], "env": {"A": "b"}, "literal": true},
            "web": {"type": "remote", "url": "https://example.org/mcp", "headers": {"Authorization": "Bearer x"},
                "literal": true},
        }});
        assert_eq!(settings(&[McpServer::Stdio(stdio), McpServer::Http(http)]).unwrap(), expected);
        assert_eq!(settings(&[]).unwrap(), Value::Null);
    }

    #[test]
    fn servers_that_are_badly_described_are_refused() {
        let refusal = |server| settings(&[server]).unwrap_err().message;
        let no_command = refusal(McpServer::Stdio(McpServerStdio::new("git", "")));
        assert_eq!(no_command, "the MCP server git has no command");
        assert!(refusal(McpServer::Stdio(McpServerStdio::new(" ", "x"))).contains("no name"));
        assert!(refusal(McpServer::Sse(McpServerSse::new("old", "https://x"))).contains("SSE"));
    }
}
