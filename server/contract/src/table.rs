//! Every event, every invocation and every method by name: what the host dispatches on, and what schemas, declarations
//! and the author's guide are generated from.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::*;

/// Makes the schema of a type within a generator's definitions.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What an event is to the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The turn waits for the handlers, one after another in load order, and takes their answers.
    Intercepts,
    /// The turn goes on; answers are not read.
    Observes,
}

/// An event.
pub struct EventInfo {
    /// Its name.
    pub name: &'static str,
    /// When it comes.
    pub description: &'static str,
    /// What it is to the turn.
    pub part: Part,
    /// Its payload without the context.
    pub payload: SchemaOf,
    /// Its answer.
    pub answer: SchemaOf,
}

/// A kind of `invoke`.
pub struct InvocationInfo {
    /// The kind.
    pub name: &'static str,
    /// What it asks for.
    pub description: &'static str,
    /// Its input.
    pub input: SchemaOf,
    /// Its output.
    pub output: SchemaOf,
}

/// Through which function of the interface a method is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `notify`: returns at once and has no result.
    Notify,
    /// `get`: returns at once with a result.
    Get,
    /// `call`: may take as long as a person takes.
    Call,
}

/// Which permission a method needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// None.
    Free,
    /// `http`.
    Http,
    /// `exec`.
    Exec,
    /// `fs.read`.
    Read,
    /// `fs.write`.
    Write,
    /// `env`.
    Environment,
}

/// A method of the host.
pub struct MethodInfo {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Through which function it is called.
    pub door: Door,
    /// Fields of the parameters in the order in which JavaScript takes them as arguments; empty where it takes the
    /// parameters as one object, or none.
    pub arguments: &'static [&'static str],
    /// Which permission it needs.
    pub permit: Permit,
    /// Its parameters.
    pub parameters: SchemaOf,
    /// Its result; `null` where it has none.
    pub result: SchemaOf,
}

macro_rules! events {
    ($($name:literal $part:ident $payload:ty => $answer:ty, $description:literal;)*) => {
        /// Every event but `custom:<name>`, whose payload is [`CustomEvent`].
        pub static EVENTS: &[EventInfo] = &[$(EventInfo {
            name: $name,
            description: $description,
            part: Part::$part,
            payload: schema_of::<$payload>,
            answer: schema_of::<$answer>,
        },)*];
    };
}

events! {
    "session_start" Observes SessionStartEvent => (), "A session begins, is opened again, or the extension was loaded again.";
    "session_shutdown" Observes SessionShutdownEvent => (), "The session is closed, or the extension is about to be loaded again.";
    "input" Intercepts InputEvent => InputAnswer, "A prompt before it starts a turn. Rewrites chain; the first `handled` ends the turn before any model is called.";
    "before_agent_start" Intercepts BeforeAgentStartEvent => BeforeAgentStartAnswer, "A turn before its first model call, also after `input` rewrote the prompt. Every handler's parts are put before the prompt, in load order.";
    "context_prepare" Intercepts ContextPrepareEvent => MessagesAnswer, "The context window of a turn before its first model call. Rewrites chain and are not saved.";
    "prepare_step" Intercepts PrepareStepEvent => MessagesAnswer, "The context window of one model call. Rewrites chain and hold for this call.";
    "tool_call" Intercepts ToolCallEvent => ToolCallAnswer, "A tool call before it runs and before the user is asked. The first that blocks decides.";
    "tool_result" Intercepts ToolResultEvent => ToolResultAnswer, "The result of a tool call before the model reads it. Rewrites chain.";
    "before_fork" Intercepts BeforeForkEvent => CancelAnswer, "A fork or branch before it is made. The first that cancels decides.";
    "before_session_switch" Intercepts BeforeSessionSwitchEvent => CancelAnswer, "Another session before it becomes the current one. The first that cancels decides.";
    "before_compact" Intercepts BeforeCompactEvent => BeforeCompactAnswer, "Older messages before they are replaced by a summary. The first that cancels decides, else the last summary.";
    "agent_start" Observes AgentStartEvent => (), "A turn began.";
    "agent_end" Observes AgentEndEvent => (), "A turn ended, with what it took.";
    "turn_state_change" Observes TurnStateChangeEvent => (), "The agent starts or stops to work.";
    "warnings" Observes WarningsEvent => (), "Something that the user should know and that is no failure.";
    "plan" Observes PlanEvent => (), "The agent's plan changed.";
    "step_start" Observes StepStartEvent => (), "A model call of a turn begins.";
    "step_finish" Observes StepFinishEvent => (), "A model call of a turn ended.";
    "llm_usage" Observes LlmUsageEvent => (), "The usage of one model call; once for each call of a turn.";
    "message_start" Observes MessageStartEvent => (), "The model begins an answer.";
    "message_update" Observes MessageUpdateEvent => (), "More text of the answer.";
    "message_end" Observes MessageEndEvent => (), "The answer's text is complete.";
    "reasoning_start" Observes ReasoningStartEvent => (), "The model begins to reason.";
    "tool_call_input_start" Observes ToolCallInputStartEvent => (), "A tool call begins to arrive.";
    "tool_call_input_delta" Observes ToolCallInputDeltaEvent => (), "More of the arguments of a tool call.";
    "tool_call_input_end" Observes ToolCallInputEndEvent => (), "The arguments of a tool call are complete.";
    "tool_execution_start" Observes ToolExecutionEvent => (), "A tool starts to run.";
    "tool_output" Observes ToolOutputEvent => (), "Output of a running tool.";
    "tool_execution_end" Observes ToolExecutionEvent => (), "A tool no longer runs.";
    "model_change" Observes ModelChangeEvent => (), "The session uses another model.";
    "thinking_level_change" Observes ThinkingLevelChangeEvent => (), "The thinking level changed.";
    "subagent_start" Observes SubagentStartEvent => (), "A subagent that the model asked for begins.";
    "subagent_chunk" Observes SubagentChunkEvent => (), "Something happened in a subagent that the model asked for.";
    "subagent_end" Observes SubagentEndEvent => (), "A subagent that the model asked for ended.";
    "retry" Observes RetryEvent => (), "A model call failed and is repeated.";
    "error" Observes ErrorEvent => (), "Something failed.";
    "source" Observes SourceEvent => (), "Never comes: no provider tells its sources here.";
    "terminal_resize" Observes TerminalResizeEvent => (), "Never comes: editors have no terminal.";
    "stream.chunk" Observes StreamChunkEvent => (), "A piece of a streamed answer that this extension asked for.";
    "tool.cancelled" Observes ToolCancelledEvent => (), "A call of a tool of this extension is no longer wanted.";
    "subagent.event" Observes SubagentEvent => (), "Something happened in a subagent that this extension spawned with `events`.";
}

macro_rules! invocations {
    ($($name:literal $input:ty => $output:ty, $description:literal;)*) => {
        /// Every kind of `invoke`.
        pub static INVOCATIONS: &[InvocationInfo] = &[$(InvocationInfo {
            name: $name,
            description: $description,
            input: schema_of::<$input>,
            output: schema_of::<$output>,
        },)*];
    };
}

invocations! {
    "tool" ToolInvocation => ToolAnswer, "A model called a tool.";
    "command" CommandInvocation => CommandAnswer, "A person ran a command.";
    "complete" CompleteInvocation => Vec<String>, "A person completes the argument of a command.";
    "shortcut" ShortcutInvocation => CommandAnswer, "A person pressed a key.";
    "render_tool" RenderToolInvocation => RenderToolAnswer, "A tool call is shown.";
    "render_message" RenderMessageInvocation => RenderAnswer, "A message is shown.";
    "render_widget" RenderWidgetInvocation => RenderAnswer, "A widget is shown.";
}

macro_rules! methods {
    ($($name:literal $door:ident $permit:ident [$($argument:literal),*] $parameters:ty => $result:ty, $description:literal;)*) => {
        /// Every method of the host.
        pub static METHODS: &[MethodInfo] = &[$(MethodInfo {
            name: $name,
            description: $description,
            door: Door::$door,
            arguments: &[$($argument),*],
            permit: Permit::$permit,
            parameters: schema_of::<$parameters>,
            result: schema_of::<$result>,
        },)*];
    };
}

methods! {
    "print" Notify Free ["text"] PrintParameters => (), "Shows text.";
    "printInfo" Notify Free ["text"] PrintParameters => (), "Shows text as a notice.";
    "printError" Notify Free ["text"] PrintParameters => (), "Shows text as an error.";
    "printBlock" Notify Free [] BlockParameters => (), "Shows a framed block of text.";
    "renderMessage" Call Free ["name", "content"] RenderMessageParameters => (), "Shows a message through a registered renderer.";
    "setWidget" Notify Free [] WidgetParameters => (), "Shows or replaces a widget. Widgets go when the extension is loaded again.";
    "removeWidget" Notify Free ["id"] IdParameters => (), "Removes a widget.";
    "setHeader" Notify Free [] BarParameters => (), "Shows or replaces the header.";
    "removeHeader" Notify Free [] NoParameters => (), "Removes the header.";
    "setFooter" Notify Free [] BarParameters => (), "Shows or replaces the footer.";
    "removeFooter" Notify Free [] NoParameters => (), "Removes the footer.";
    "setStatus" Notify Free ["key", "text", "priority"] StatusParameters => (), "Shows or replaces an entry of the status line.";
    "removeStatus" Notify Free ["key"] KeyParameters => (), "Removes an entry of the status line.";
    "setEditorText" Notify Free ["text"] PrintParameters => (), "Puts text into the prompt of the client.";
    "promptSelect" Call Free [] PromptSelectParameters => PromptSelectResult, "Asks for one of several choices.";
    "promptConfirm" Call Free [] PromptConfirmParameters => PromptConfirmResult, "Asks for yes or no.";
    "promptInput" Call Free [] PromptInputParameters => PromptInputResult, "Asks for a text.";
    "promptMultiSelect" Call Free [] PromptMultiSelectParameters => PromptMultiSelectResult, "Asks for any number of choices; without a person all of them are chosen.";
    "showOverlay" Call Free [] OverlayParameters => OverlayResult, "Shows a text to read, with buttons.";
    "sendMessage" Notify Free ["text"] MessageParameters => (), "Sends a prompt; it waits while the agent works.";
    "cancelAndSend" Notify Free ["text"] MessageParameters => (), "Cancels the running turn, drops what waits, and sends a prompt.";
    "sendMultimodalMessage" Notify Free ["text", "files"] MultimodalMessageParameters => (), "Sends a prompt with files.";
    "abort" Notify Free [] NoParameters => (), "Cancels the running turn and drops what waits.";
    "isIdle" Get Free [] NoParameters => bool, "Whether the agent does nothing.";
    "compact" Call Free [] CompactParameters => (), "Replaces older messages by a summary.";
    "newSession" Call Free ["prompt"] NewSessionParameters => NewSessionResult, "Makes a new session the current one.";
    "getSessionUsage" Call Free [] NoParameters => SessionUsage, "What the session has used.";
    "getContextStats" Get Free [] NoParameters => ContextStats, "How full the context is.";
    "getMessages" Call Free [] NoParameters => Vec<SessionMessage>, "The messages of the current branch, from the root to the leaf.";
    "getSessionPath" Call Free [] NoParameters => String, "The session's file; empty where it has none.";
    "appendEntry" Call Free ["entryType", "data"] AppendEntryParameters => AppendEntryResult, "Adds an entry to the session's file that no model sees.";
    "getEntries" Call Free ["entryType"] GetEntriesParameters => Vec<SessionEntry>, "The entries of extensions on the current branch.";
    "getState" Get Free ["key"] StateKeyParameters => Option<String>, "A value of the session's state.";
    "setState" Call Free ["key", "value"] SetStateParameters => (), "Sets a value of the session's state; returns when it is on disk.";
    "deleteState" Call Free ["key"] StateKeyParameters => bool, "Removes a value of the session's state; tells whether it was there.";
    "listState" Get Free [] NoParameters => Vec<String>, "The keys of the session's state.";
    "getOption" Get Free ["name"] OptionParameters => String, "The value of an option; empty where there is none.";
    "setOption" Notify Free ["name", "value"] SetOptionParameters => (), "Sets an option until the server ends.";
    "setModel" Call Free ["model"] ModelParameters => (), "Changes the session's model.";
    "getAvailableModels" Call Free [] NoParameters => Vec<Model>, "The models that can be used, with their prices.";
    "getCurrentModelId" Get Free [] NoParameters => String, "The name of the session's model.";
    "getCurrentProvider" Get Free [] NoParameters => String, "The provider of the session's model.";
    "getModelCapabilities" Call Free ["model"] OptionalModelParameters => Option<Model>, "What is known about a model, or about the session's.";
    "checkModelAvailable" Call Free ["model"] ModelParameters => bool, "Whether a model can be used.";
    "resolveModelChain" Call Free ["models"] ModelChainParameters => String, "The first of several models that can be used; empty where none can.";
    "getThinkingLevel" Get Free [] NoParameters => String, "The thinking level.";
    "setThinkingLevel" Call Free ["level"] ThinkingLevelParameters => (), "Changes the thinking level.";
    "getAllTools" Get Free [] NoParameters => Vec<ToolInfo>, "All tools of the session.";
    "setActiveTools" Notify Free ["names"] SetActiveToolsParameters => (), "Lets the model call these tools only; without names, all of them.";
    "complete" Call Free [] CompleteParameters => CompleteResult, "One call of a model, without tools.";
    "spawnSubagent" Call Free [] SpawnSubagentParameters => SpawnSubagentResult, "Spawns a subagent.";
    "waitSubagent" Call Free ["id"] SubagentParameters => SubagentResult, "Waits for the end of a subagent.";
    "listSubagents" Call Free [] NoParameters => Vec<SubagentInfo>, "The subagents of the session that work, wait for their place, or are done and were not waited for.";
    "killSubagent" Notify Free ["id"] SubagentParameters => (), "Ends a subagent; without effect after its end.";
    "emitCustomEvent" Call Free ["name", "data"] EmitCustomEventParameters => EmitCustomEventResult, "Sends an event to extensions; returns when their handlers have run.";
    "tool.progress" Notify Free ["toolCallId", "text"] ToolProgressParameters => (), "Shows progress of a running tool of this extension.";
    "tool.isCancelled" Get Free ["toolCallId"] ToolCallParameters => bool, "Whether a call of a tool of this extension is no longer wanted.";
    "reloadExtensions" Notify Free [] NoParameters => (), "Loads all extensions again.";
    "exit" Notify Free [] NoParameters => (), "Asks the agent to end: a run without an editor ends after its turn, and an editor ends its server itself.";
    "getTreeNode" Call Free ["id"] EntryParameters => Option<TreeNode>, "An entry of the session's tree.";
    "getCurrentBranch" Call Free [] NoParameters => Vec<TreeNode>, "The entries of the current branch, from the root to the leaf.";
    "getChildren" Call Free ["id"] EntryParameters => Vec<TreeNode>, "The entries after an entry.";
    "navigateTo" Call Free ["id"] EntryParameters => NavigationResult, "Goes to another entry of the tree.";
    "summarizeBranch" Call Free ["fromId", "toId"] BranchParameters => String, "A summary of a part of a branch, by the session's model.";
    "collapseBranch" Call Free ["fromId", "toId", "summary"] CollapseBranchParameters => NavigationResult, "Goes back before a part of a branch and puts a summary in its place.";
    "getAvailableSkills" Call Free [] NoParameters => Vec<Skill>, "The skills that there are.";
    "discoverSkills" Call Free [] NoParameters => Vec<Skill>, "Looks for skills again.";
    "loadSkill" Call Read ["path"] PathParameters => Skill, "Reads a skill from a file.";
    "loadSkillsFromDir" Call Read ["path"] PathParameters => Vec<Skill>, "Reads the skills of a folder.";
    "injectSkillAsContext" Call Free ["name"] NameParameters => (), "Starts a turn with a skill.";
    "injectRawSkillAsContext" Call Read ["path"] PathParameters => (), "Starts a turn with a skill from a file.";
    "parseTemplate" Get Free ["template"] TemplateParameters => ParsedTemplate, "The names in a template.";
    "renderTemplate" Get Free ["template", "variables"] RenderTemplateParameters => String, "Puts values into a template.";
    "parseArguments" Get Free ["input", "pattern"] ParseArgumentsParameters => ParsedArguments, "Takes a line of arguments apart.";
    "simpleParseArguments" Get Free ["input", "count"] SimpleParseArgumentsParameters => Vec<String>, "The whole line, its first words, and what is left.";
    "evaluateModelConditional" Get Free ["condition"] ModelConditionParameters => bool, "Whether the session's model matches one of several patterns.";
    "renderWithModelConditionals" Get Free ["text"] TextParameters => String, "Resolves `<if-model is=\"…\">…<else>…</if-model>` for the session's model.";
    "fs.read" Call Read ["path"] ReadFileParameters => ReadFileResult, "Reads a file; unsaved text of an open document comes first. Through `call-bytes`, its bytes.";
    "fs.write" Call Write ["path", "text"] WriteFileParameters => WriteFileResult, "Writes a file; the change can be reviewed like one of the agent. Through `call-bytes`, bytes.";
    "fs.list" Call Read ["path"] ListFilesParameters => Vec<FileEntry>, "Lists a folder.";
    "fs.stat" Call Read ["path"] PathParameters => FileInfo, "What is known about a path.";
    "http.fetch" Call Http [] FetchParameters => FetchResult, "Sends a request over HTTP; through `call-bytes`, bodies are bytes.";
    "exec.run" Call Exec [] RunParameters => RunResult, "Runs a command, confined as commands of the agent are.";
    "env.get" Get Environment ["name"] EnvironmentParameters => Option<String>, "Reads an environment variable.";
    "sleep" Call Free ["ms"] SleepParameters => (), "Waits; what timers are made of.";
    "setUIVisibility" Notify Free [] VisibilityParameters => (), "Without effect in editors.";
    "getTerminalSize" Get Free [] NoParameters => TerminalSize, "Always 0: editors have no terminal.";
    "listThemes" Get Free [] NoParameters => Vec<String>, "Always empty: editors have their own themes.";
    "getTheme" Get Free [] NoParameters => String, "Always empty: editors have their own themes.";
    "setTheme" Notify Free ["name"] ThemeParameters => (), "Without effect in editors.";
    "registerTheme" Notify Free [] ThemeParameters => (), "Without effect in editors.";
    "setEditor" Notify Free [] NoParameters => (), "Without effect: editors keep their own keys.";
    "resetEditor" Notify Free [] NoParameters => (), "Without effect: editors keep their own keys.";
}
