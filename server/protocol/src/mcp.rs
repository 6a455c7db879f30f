//! Servers of the Model Context Protocol: what the settings say about one, and `kit.mcp.*`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// A server of the Model Context Protocol: a program that is started (`command`), or an address (`url`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpServer {
    /// How it is reached; follows from `command` or `url` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<McpTransportName>,
    /// The program with its arguments, or the program alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<McpCommand>,
    /// Arguments of the program, behind those of `command`. `${NAME}` is an environment variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Environment variables of the program. `${NAME}` is a variable of Kit's own environment; a value that begins with
    /// `cmd:` is what the command behind it prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, Secret>>,
    /// The folder that the program runs in; the first root of the workspace unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The address of a server that speaks streamable HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Headers of every request, as a map or as lines `Name: value`; values may hold what those of `env` may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<McpHeaders>,
    /// Whether the values above are taken as they are: `${NAME}` and `cmd:` then stand for themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<bool>,
    /// Only these tools, by the names that the server gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_tools: Option<Vec<String>>,
    /// All tools but these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_tools: Option<Vec<String>>,
    /// Whether the server is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Seconds that a call may be silent; progress counts as a sign of life. 120 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Seconds that the start may take. 60 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout: Option<u64>,
    /// Whether logins with OAuth are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_oauth: Option<bool>,
    /// The client id that the login uses, where the server does not register clients by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_client_id: Option<String>,
    /// The secret that belongs to the client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_client_secret: Option<Secret>,
    /// What the login asks for, instead of what the server names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_scopes: Option<Vec<String>>,
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum McpTransportName {
    /// A program that is spoken to over its standard input and output.
    #[serde(alias = "stdio")]
    Local,
    /// An address that is spoken to over streamable HTTP.
    #[serde(
        alias = "http",
        alias = "streamable",
        alias = "streamable-http",
        alias = "streamable_http",
        alias = "streamableHttp"
    )]
    Remote,
    /// The transport before streamable HTTP, which is tried as streamable HTTP.
    Sse,
}

/// A program, alone or with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum McpCommand {
    /// The program alone.
    Program(String),
    /// The program with its arguments.
    Words(Vec<String>),
}

/// Headers of requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum McpHeaders {
    /// By name.
    Named(BTreeMap<String, Secret>),
    /// As lines `Name: value`.
    Lines(Vec<Secret>),
}

/// Argument of `kit.mcp.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpListArguments {
    /// One server; all of them otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Argument of `kit.mcp.reconnect`, `.login` and `.logout`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpNameArguments {
    /// The server.
    pub name: String,
}

/// Answer of the commands of MCP servers: how it is right now. A connection or login that was begun goes on by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpListAnswer {
    /// The servers, by name.
    pub servers: Vec<McpServerInfo>,
}

/// How a server is reached, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum McpTransport {
    /// A program.
    Stdio,
    /// An address.
    Http,
}

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum McpState {
    /// The settings leave it out.
    Disabled,
    /// Nothing needed it yet.
    Idle,
    /// It is being connected.
    Starting,
    /// It can be used.
    Ready,
    /// It wants the user to log in.
    NeedsLogin,
    /// It is gone, and is connected again soon.
    Reconnecting,
    /// It cannot be used.
    Failed,
}

/// How it is with the login at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum McpLogin {
    /// There is a stored login.
    SignedIn,
    /// There is none.
    SignedOut,
    /// The user is about to log in.
    Pending,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpServerInfo {
    /// Its name in the settings.
    pub name: String,
    /// How it is reached.
    pub transport: McpTransport,
    /// What it does.
    pub state: McpState,
    /// Its own name and version, where it tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Its tools.
    pub tools: Vec<McpToolInfo>,
    /// Its prompts, as commands of `kit.command.run`.
    pub prompts: Vec<String>,
    /// Its resources, as one mentions them behind an `@`.
    pub resources: Vec<String>,
    /// What is wrong with it, in one sentence that names the mend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How it is with the login there; absent where there are no logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<McpLogin>,
}

/// One tool of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct McpToolInfo {
    /// The name that models call and that permission rules name.
    pub name: String,
    /// The name for people, where the server has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does, in one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether the server says that it only reads. Nothing is allowed because of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads_only: bool,
}
