//! The JSON schema of everything on the wire, from which client types and settings are generated.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{
    AgentListAnswer, AgentListArguments, AskAnswer, AskRequest, AuthAnswer, AuthArguments, CancelAnswer,
    CancelArguments, ClientCapabilities, CommandListAnswer, CommandListArguments, CommandRunAnswer,
    CommandRunArguments, CompleteAnswer, CompleteArguments, ContentAnswer, ContentArguments,
    DiagnosticsAnswer, DoctorAnswer, ErrorData, Event, ExtensionArguments, ExtensionGrantArguments,
    ExtensionListAnswer, ExtensionShortcutAnswer, ExtensionShortcutArguments, FilesRequest, LabelArguments,
    McpListAnswer, McpListArguments, McpNameArguments, ModeSetAnswer, ModeSetArguments, ModelListAnswer,
    ModelListArguments, ModelSetAnswer, ModelSetArguments, PermissionAnswer, PermissionRequest, PromptAnswer,
    PromptArguments, QueueAnswer, QueueArguments, QueueRemoveArguments, ReviewAnswer, ReviewArguments,
    ReviewListArguments, ReviewState, RewindAnswer, RewindArguments, SaveAnswer, ServerCapabilities,
    SessionAnswer, SessionArguments, SessionDeleteAnswer, SessionListAnswer, SessionListArguments,
    SessionOnly, SessionTreeAnswer, Settings, Status, ThinkingSetAnswer, ThinkingSetArguments,
    TranscriptAnswer, TranscriptArguments, Trust, UiUpdate, UsageAnswer, UsageArguments, Withdrawal,
};

macro_rules! definitions {
    ($($type:ident),* $(,)?) => {
        /// A JSON schema (draft 2020-12) whose `$defs` hold every wire type under its Rust name.
        pub fn protocol() -> Value {
            let mut generator = SchemaSettings::draft2020_12().into_generator();
            $(let _reference = generator.subschema_for::<$type>();)*
            let definitions = generator.take_definitions(true);
            serde_json::json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": "Kit protocol",
                "$defs": definitions,
            })
        }
    };
}

definitions!(
    AgentListAnswer,
    AgentListArguments,
    AskAnswer,
    AskRequest,
    AuthAnswer,
    AuthArguments,
    CancelAnswer,
    CancelArguments,
    ClientCapabilities,
    CommandListAnswer,
    CommandListArguments,
    CommandRunAnswer,
    CommandRunArguments,
    CompleteAnswer,
    CompleteArguments,
    ContentAnswer,
    ContentArguments,
    DiagnosticsAnswer,
    DoctorAnswer,
    ErrorData,
    Event,
    ExtensionArguments,
    ExtensionGrantArguments,
    ExtensionListAnswer,
    ExtensionShortcutAnswer,
    ExtensionShortcutArguments,
    FilesRequest,
    LabelArguments,
    McpListAnswer,
    McpListArguments,
    McpNameArguments,
    ModeSetAnswer,
    ModeSetArguments,
    ModelListAnswer,
    ModelListArguments,
    ModelSetAnswer,
    ModelSetArguments,
    PermissionAnswer,
    PermissionRequest,
    PromptAnswer,
    PromptArguments,
    QueueAnswer,
    QueueArguments,
    QueueRemoveArguments,
    ReviewAnswer,
    ReviewArguments,
    ReviewListArguments,
    ReviewState,
    RewindAnswer,
    RewindArguments,
    SaveAnswer,
    ServerCapabilities,
    SessionAnswer,
    SessionArguments,
    SessionDeleteAnswer,
    SessionListAnswer,
    SessionListArguments,
    SessionOnly,
    SessionTreeAnswer,
    Status,
    ThinkingSetAnswer,
    ThinkingSetArguments,
    TranscriptAnswer,
    TranscriptArguments,
    Trust,
    UiUpdate,
    UsageAnswer,
    UsageArguments,
    Withdrawal,
);

/// The JSON schema of a settings file.
pub fn settings() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Settings>().to_value()
}
