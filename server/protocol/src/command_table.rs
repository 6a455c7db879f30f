//! The one list of the server's commands: the handshake, the clients' menus and the documentation are made from it.

use schemars::JsonSchema;
use serde::Serialize;

/// A command as the handshake announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommandInfo {
    /// The name in `workspace/executeCommand`.
    pub id: &'static str,
    /// A title for palettes.
    pub title: &'static str,
    /// One sentence.
    pub description: &'static str,
}

macro_rules! commands {
    ($($id:literal $title:literal $description:literal;)*) => {
        /// Every command of the server.
        pub const COMMANDS: &[CommandInfo] = &[$(CommandInfo { id: $id, title: $title, description: $description }),*];
    };
}

commands! {
    "kit.session.prompt" "Ask" "Starts a turn, or queues or steers when one runs.";
    "kit.session.ask" "Ask …" "Asks the user for a prompt, then starts a turn with it.";
    "kit.session.cancel" "Stop" "Cancels the running turn and all that belongs to it.";
    "kit.session.new" "New Session" "Starts an empty session.";
    "kit.session.open" "Open Session" "Makes a stored session the current one.";
    "kit.session.fork" "Fork Session" "Copies a session up to an entry into a new file.";
    "kit.session.branch" "Branch" "Continues from an earlier entry of the same session.";
    "kit.session.rename" "Rename Session" "Names a session.";
    "kit.session.delete" "Delete Session" "Deletes a session's files.";
    "kit.session.export" "Export Session" "Copies a session's file.";
    "kit.session.import" "Import Session" "Makes a session of a file that was exported or that upstream Kit wrote.";
    "kit.session.compact" "Compact Session" "Replaces the older messages by a summary; the focus says what it should keep.";
    "kit.session.label" "Label Entry" "Gives an entry of the tree a label.";
    "kit.session.retry" "Retry" "Repeats the last prompt from where it was asked.";
    "kit.session.list" "Sessions" "Lists stored sessions, newest first.";
    "kit.session.tree" "Session Tree" "Shows a session's entries with their branches.";
    "kit.session.transcript" "Transcript" "Gives the events that a client missed.";
    "kit.queue.list" "Waiting Prompts" "Lists the prompts that wait for the running turn.";
    "kit.queue.remove" "Remove Waiting Prompt" "Takes one prompt out of the queue.";
    "kit.queue.clear" "Clear Waiting Prompts" "Takes all prompts out of the queue.";
    "kit.review.list" "Changes" "Lists the agent's changes that wait for review.";
    "kit.review.keep" "Keep" "Accepts hunks.";
    "kit.review.undo" "Undo" "Takes hunks back, keeping what the user typed.";
    "kit.review.revert" "Take Back Review Step" "Takes back the last keep, undo or rewind of files.";
    "kit.review.rewind" "Rewind" "Restores files, conversation or both to before a turn.";
    "kit.model.list" "Models" "Lists models.";
    "kit.model.set" "Set Model" "Chooses the model.";
    "kit.thinking.set" "Set Thinking Level" "Chooses how much the model reasons.";
    "kit.mode.set" "Set Mode" "Chooses what the agent may do without asking.";
    "kit.agent.list" "Agents" "Lists the named agents that a subagent can run as.";
    "kit.usage.get" "Usage" "Gives tokens and money per call, turn, session and day.";
    "kit.command.list" "Commands" "Lists prompt templates, skills, and commands of extensions and MCP servers.";
    "kit.command.run" "Run Command" "Runs a prompt template, a skill or a contributed command by its name.";
    "kit.prompt.complete" "Complete Prompt" "Completes commands and mentions while a prompt is written.";
    "kit.auth.status" "Logins" "Tells which providers have a key or a login, and which of them counts.";
    "kit.auth.login" "Log In" "Logs in at a provider with an account, in the browser.";
    "kit.auth.logout" "Log Out" "Forgets the stored login at a provider.";
    "kit.extension.list" "Extensions" "Lists extensions with what they register and may do.";
    "kit.extension.reload" "Reload Extensions" "Loads extensions again.";
    "kit.extension.grant" "Grant to Extension" "Grants an extension what it asks for, or takes that back.";
    "kit.extension.shortcut" "Press Shortcut of Extension" "Does what an extension bound to a key.";
    "kit.mcp.list" "MCP Servers" "Lists MCP servers with their tools, prompts and resources.";
    "kit.mcp.reconnect" "Reconnect MCP Server" "Connects an MCP server again.";
    "kit.mcp.login" "Log In at MCP Server" "Logs in at a remote MCP server, in the browser.";
    "kit.mcp.logout" "Log Out at MCP Server" "Forgets the stored login at an MCP server.";
    "kit.trust.set" "Trust Workspace" "Trusts a workspace root, or stops trusting it.";
    "kit.doctor" "Doctor" "Checks the installation.";
}
