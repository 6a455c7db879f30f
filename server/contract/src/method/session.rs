//! The session: its messages, entries, state, options, tools and tree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

data! {
    /// A prompt of an extension.
    MessageParameters {
        /// The text.
        text: String,
    }

    /// A prompt with files.
    MultimodalMessageParameters {
        /// The text.
        text: String,
        /// The files.
        #[serde(default)]
        files: Vec<FilePart>,
    }

    /// A file that belongs to a prompt or to the result of a tool.
    FilePart {
        /// Its name.
        filename: String,
        /// Its bytes in base64.
        data: String,
        /// Its media type, for example `image/png`.
        media_type: String,
    }

    /// What a compaction should keep in mind.
    CompactParameters {
        /// Instructions for the summary.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        custom_instructions: Option<String>,
    }

    /// A new session.
    NewSessionParameters {
        /// Its first prompt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<String>,
    }

    /// A session that was made.
    NewSessionResult {
        /// The session.
        session_id: String,
    }

    /// What a session has used.
    SessionUsage {
        /// Fresh input tokens.
        total_input_tokens: u64,
        /// Output tokens.
        total_output_tokens: u64,
        /// Input tokens read from the cache.
        total_cache_read_tokens: u64,
        /// Input tokens written to the cache.
        total_cache_write_tokens: u64,
        /// Cost in USD of the calls with a price.
        total_cost: f64,
        /// Model calls.
        request_count: u64,
        /// Whether a subscription pays.
        is_oauth: bool,
    }

    /// How full the context is.
    ContextStats {
        /// Tokens in the context.
        estimated_tokens: u64,
        /// The model's context window; 0 when unknown.
        context_limit: u64,
        /// From 0 to 1.
        usage_percent: f64,
        /// Messages of the current branch.
        message_count: u64,
    }

    /// A message of the current branch.
    SessionMessage {
        /// Its entry.
        id: String,
        /// The entry before it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<String>,
        /// `system`, `user`, `assistant` or `tool`.
        role: String,
        /// Its text.
        content: String,
        /// The model that wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// The model's provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        /// When, RFC 3339.
        timestamp: String,
    }

    /// Something to remember in the session's file; never part of the model's context.
    AppendEntryParameters {
        /// Its type, of the extension's choice.
        entry_type: String,
        /// The data, of the extension's choice.
        data: String,
    }

    /// The entry that was made.
    AppendEntryResult {
        /// Its id.
        id: String,
    }

    /// Which entries.
    GetEntriesParameters {
        /// Their type; all of extensions otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry_type: Option<String>,
    }

    /// An entry of an extension on the current branch.
    SessionEntry {
        /// Its id.
        id: String,
        /// Its type.
        entry_type: String,
        /// Its data.
        data: String,
        /// When, RFC 3339.
        timestamp: String,
    }

    /// Names a value of the session's state. Keys belong to the extension alone; one that begins with `shared:` is seen
    /// by all.
    StateKeyParameters {
        /// The key.
        key: String,
    }

    /// A value of the session's state.
    SetStateParameters {
        /// The key.
        key: String,
        /// The value.
        value: String,
    }

    /// Names an option.
    OptionParameters {
        /// The name.
        name: String,
    }

    /// A value of an option until the server ends.
    SetOptionParameters {
        /// The name.
        name: String,
        /// The value.
        value: String,
    }

    /// A tool of the session.
    ToolInfo {
        /// Its name.
        name: String,
        /// What the model reads about it.
        description: String,
        /// `core`, `mcp` or `extension`.
        source: String,
        /// Whether the model may call it.
        enabled: bool,
    }

    /// Which tools a model may call.
    SetActiveToolsParameters {
        /// Exact names; absent or empty means all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        names: Option<Vec<String>>,
    }

    /// Names an entry of the tree.
    EntryParameters {
        /// The entry.
        id: String,
    }

    /// An entry of the session's tree.
    TreeNode {
        /// The entry.
        id: String,
        /// The entry before it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<String>,
        /// Its type as the file has it.
        r#type: String,
        /// `system`, `user`, `assistant` or `tool`, for messages.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Its text.
        content: String,
        /// The model that wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// The model's provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        /// When, RFC 3339.
        timestamp: String,
        /// The entries after it.
        children: Vec<String>,
    }

    /// How a move in the tree went.
    NavigationResult {
        /// Whether it happened.
        success: bool,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    }

    /// A part of a branch.
    BranchParameters {
        /// The first entry.
        from_id: String,
        /// The last entry.
        to_id: String,
    }

    /// A part of a branch and what replaces it.
    CollapseBranchParameters {
        /// The first entry.
        from_id: String,
        /// The last entry.
        to_id: String,
        /// The summary.
        summary: String,
    }

    /// An event for other extensions, or for this one.
    EmitCustomEventParameters {
        /// Its name.
        name: String,
        /// What the handlers get.
        #[serde(default)]
        data: String,
    }

    /// Whom a custom event reached.
    EmitCustomEventResult {
        /// How many handlers ran.
        handlers: u32,
    }

    /// Progress of a running tool of this extension.
    ToolProgressParameters {
        /// The call.
        tool_call_id: String,
        /// The text to append.
        text: String,
    }

    /// A call of a tool of this extension.
    ToolCallParameters {
        /// The call.
        tool_call_id: String,
    }
}
