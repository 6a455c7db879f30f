//! `kit-ls mcp list|test|login|logout`: the MCP servers of this folder, told to a terminal or a script.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use kit_protocol::{McpListAnswer, McpLogin, McpServerInfo, McpState, McpTransport};
use kit_tools::mcp::McpServers;
use kit_workspace::Paths;
use tokio_util::sync::CancellationToken;

use crate::application::Kit;
use crate::arguments::Options;
use crate::auth::TerminalUi;
use crate::{complain, logging, runtime, say};

/// What to do with MCP servers.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum McpCommand {
    /// Connect all servers and say what they offer
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Connect one server and say everything that it offers
    Test {
        /// Its name under mcpServers
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Log in at a remote server, in the browser
    Login {
        /// Its name under mcpServers
        name: String,
    },
    /// Forget the login at a remote server
    Logout {
        /// Its name under mcpServers
        name: String,
    },
}

/// Does it and returns the exit code: 1 when a server cannot be used.
pub(crate) fn run(command: &McpCommand, options: Options, paths: Paths) -> anyhow::Result<i32> {
    let folder = std::env::current_dir().context("the current folder is gone")?;
    let log = logging::start(&paths.logs, runtime::environment("KIT_LOG").as_deref());
    let done = runtime::with(async {
        let kit = Kit::new(paths, options);
        let (servers, problems) = kit.mcp_servers(&folder)?;
        for problem in problems {
            complain(&problem);
        }
        if let Some(untrusted) = kit.unread(&folder) {
            complain(&format!("{} is not read, because the folder is not trusted", untrusted.display()));
        }
        let done = work(command, &servers).await;
        servers.shutdown().await;
        done
    });
    drop(log);
    done
}

async fn work(command: &McpCommand, servers: &Arc<McpServers>) -> anyhow::Result<i32> {
    match command {
        McpCommand::List { json } => {
            let names: Vec<String> =
                servers.list(None)?.servers.into_iter().map(|server| server.name).collect();
            for name in &names {
                servers.settled(name).await?;
            }
            let answer = servers.list(None)?;
            if *json {
                say(&serde_json::to_string_pretty(&answer)?)?;
            } else if answer.servers.is_empty() {
                say("No MCP servers are set; name them under `mcpServers` in ~/.kit.yml or .kit.yml.")?;
            }
            if !json {
                for server in &answer.servers {
                    say(&headline(server))?;
                }
            }
            Ok(code(&answer))
        }
        McpCommand::Test { name, json } => {
            let answer = servers.settled(name).await?;
            if *json {
                say(&serde_json::to_string_pretty(&answer)?)?;
            } else {
                for server in &answer.servers {
                    say(&described(server))?;
                }
            }
            Ok(code(&answer))
        }
        McpCommand::Login { name } => {
            servers.takes_logins(name)?;
            // What the server says about the login that it wants.
            servers.settled(name).await?;
            let cancel = CancellationToken::new();
            let login = super::log_in(servers, name, &TerminalUi, &cancel);
            tokio::pin!(login);
            tokio::select! {
                made = &mut login => made?,
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted.context("the signal for an end cannot be waited for")?;
                    cancel.cancel();
                    login.await?;
                }
            }
            let answer = servers.settled(name).await?;
            say(&format!("The login at {name} is stored."))?;
            for server in &answer.servers {
                say(&headline(server))?;
            }
            Ok(code(&answer))
        }
        McpCommand::Logout { name } => {
            if servers.log_out(name)? {
                say(&format!("The login at {name} is forgotten here."))?;
            } else {
                say(&format!("There was no stored login at {name}."))?;
            }
            Ok(0)
        }
    }
}

fn code(answer: &McpListAnswer) -> i32 {
    let is_well = |server: &McpServerInfo| matches!(server.state, McpState::Ready | McpState::Disabled);
    i32::from(!answer.servers.iter().all(is_well))
}

/// A server in one line, and what is wrong with it.
fn headline(server: &McpServerInfo) -> String {
    let mark = match server.state {
        McpState::Ready => "✓",
        McpState::Disabled | McpState::Idle => "-",
        McpState::Starting | McpState::NeedsLogin | McpState::Reconnecting | McpState::Failed => "✗",
    };
    let transport = match server.transport {
        McpTransport::Stdio => "stdio",
        McpTransport::Http => "http",
    };
    let state = match server.state {
        McpState::Ready => {
            let counted = [
                (server.tools.len(), "tools"),
                (server.prompts.len(), "prompts"),
                (server.resources.len(), "resources"),
            ];
            let counted = counted.into_iter().filter(|(count, _)| *count > 0);
            let counted: Vec<String> = counted.map(|(count, what)| format!("{count} {what}")).collect();
            if counted.is_empty() { "offers nothing".to_owned() } else { counted.join(", ") }
        }
        McpState::Disabled => "switched off by the settings".to_owned(),
        McpState::Idle | McpState::Starting | McpState::Reconnecting => "being connected".to_owned(),
        McpState::NeedsLogin => "needs a login".to_owned(),
        McpState::Failed => "cannot be used".to_owned(),
    };
    let login = match server.login {
        Some(McpLogin::SignedIn) => ", logged in",
        Some(McpLogin::SignedOut | McpLogin::Pending) | None => "",
    };
    let error = server.error.as_ref().map(|error| format!("\n    {error}")).unwrap_or_default();
    format!("{mark} {:<16} {transport:<5}  {state}{login}{error}", server.name)
}

fn described(server: &McpServerInfo) -> String {
    let mut lines = vec![headline(server)];
    lines.extend(server.server.iter().map(|own| format!("    it calls itself {own}")));
    for tool in &server.tools {
        let hint = if tool.reads_only { " (says that it only reads)" } else { "" };
        let description =
            if tool.description.is_empty() { String::new() } else { format!("  {}", tool.description) };
        lines.push(format!("    tool      {}{hint}{description}", tool.name));
    }
    lines.extend(server.prompts.iter().map(|prompt| format!("    prompt    /{prompt}")));
    lines.extend(server.resources.iter().map(|resource| format!("    resource  @{resource}")));
    lines.join("\n")
}
