//! What handlers are given: where they run, and the methods of the host.

use kit_contract::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::kit::extension::types::LogLevel;
use crate::error::Error;
use crate::host;

/// Where a handler runs. Its methods are those of the host, and speak for its session.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The session, its folder, its model, and whether a person can be asked.
    pub at: SessionContext,
}

/// The context of a tool call.
#[derive(Clone, Debug)]
pub struct ToolContext {
    /// Where the call runs.
    pub context: Context,
    /// The call.
    pub tool_call_id: String,
}

impl ToolContext {
    pub(crate) fn new(context: Context, tool_call_id: String) -> Self {
        ToolContext { context, tool_call_id }
    }

    /// Shows progress.
    pub fn progress(&self, text: impl Into<String>) -> Result<(), Error> {
        let tool_call_id = self.tool_call_id.clone();
        self.context.tool_progress(ToolProgressParameters { tool_call_id, text: text.into() })
    }

    /// Whether the call is no longer wanted.
    pub fn is_cancelled(&self) -> bool {
        let tool_call_id = self.tool_call_id.clone();
        self.context.tool_is_cancelled(ToolCallParameters { tool_call_id }).unwrap_or_default()
    }
}

impl Context {
    pub(crate) fn new(at: SessionContext) -> Self {
        Context { at }
    }

    /// A line in the extension's log.
    pub fn log(&self, text: &str) {
        host::log(LogLevel::Info, text);
    }

    /// Says something by a method without a type here.
    pub fn notify(&self, method: &str, parameters: impl Serialize) -> Result<(), Error> {
        host::notify(method, &self.text(parameters)?)
    }

    /// Asks what the host knows at once by a method without a type here.
    pub fn get<Result_: DeserializeOwned>(
        &self,
        method: &str,
        parameters: impl Serialize,
    ) -> Result<Result_, Error> {
        read(method, &host::get(method, &self.text(parameters)?)?)
    }

    /// Asks for what may take long by a method without a type here.
    pub async fn call<Result_: DeserializeOwned>(
        &self,
        method: &str,
        parameters: impl Serialize,
    ) -> Result<Result_, Error> {
        read(method, &host::call(method, self.text(parameters)?).await?)
    }

    /// The parameters as text, with the session that they are about.
    fn text(&self, parameters: impl Serialize) -> Result<String, Error> {
        let mut value = serde_json::to_value(parameters)?;
        if let Some(fields) = value.as_object_mut()
            && !self.at.session_id.is_empty()
        {
            fields.insert(SESSION_PARAMETER.to_owned(), self.at.session_id.clone().into());
        }
        Ok(value.to_string())
    }
}

fn read<Result_: DeserializeOwned>(method: &str, text: &str) -> Result<Result_, Error> {
    let text = if text.is_empty() { "null" } else { text };
    serde_json::from_str(text).map_err(|error| Error::invalid(&format!("the answer of {method}"), &error))
}

macro_rules! method {
    (notify $name:ident $wire:literal $parameters:ty => $result:ty, $description:literal) => {
        #[doc = $description]
        pub fn $name(&self, parameters: $parameters) -> Result<(), Error> {
            self.notify($wire, parameters)
        }
    };
    (get $name:ident $wire:literal $parameters:ty => $result:ty, $description:literal) => {
        #[doc = $description]
        pub fn $name(&self, parameters: $parameters) -> Result<$result, Error> {
            self.get($wire, parameters)
        }
    };
    (call $name:ident $wire:literal $parameters:ty => $result:ty, $description:literal) => {
        #[doc = $description]
        pub async fn $name(&self, parameters: $parameters) -> Result<$result, Error> {
            self.call($wire, parameters).await
        }
    };
}

macro_rules! methods {
    ($($door:ident $name:ident $wire:literal $parameters:ty => $result:ty, $description:literal;)*) => {
        /// The methods of the host, one for each name of the contract.
        impl Context {
            $(method! { $door $name $wire $parameters => $result, $description })*
        }

        #[cfg(test)]
        pub(crate) const NAMES: &[(&str, &str)] = &[$((stringify!($door), $wire)),*];
    };
}

methods! {
    notify print "print" PrintParameters => (), "Shows text.";
    notify print_info "printInfo" PrintParameters => (), "Shows text as a notice.";
    notify print_error "printError" PrintParameters => (), "Shows text as an error.";
    notify print_block "printBlock" BlockParameters => (), "Shows a framed block of text.";
    call render_message "renderMessage" RenderMessageParameters => (), "Shows a message through a registered renderer.";
    notify set_widget "setWidget" WidgetParameters => (), "Shows or replaces a widget. Widgets go when the extension is loaded again.";
    notify remove_widget "removeWidget" IdParameters => (), "Removes a widget.";
    notify set_header "setHeader" BarParameters => (), "Shows or replaces the header.";
    notify remove_header "removeHeader" NoParameters => (), "Removes the header.";
    notify set_footer "setFooter" BarParameters => (), "Shows or replaces the footer.";
    notify remove_footer "removeFooter" NoParameters => (), "Removes the footer.";
    notify set_status "setStatus" StatusParameters => (), "Shows or replaces an entry of the status line.";
    notify remove_status "removeStatus" KeyParameters => (), "Removes an entry of the status line.";
    notify set_editor_text "setEditorText" PrintParameters => (), "Puts text into the prompt of the client.";
    call prompt_select "promptSelect" PromptSelectParameters => PromptSelectResult, "Asks for one of several choices.";
    call prompt_confirm "promptConfirm" PromptConfirmParameters => PromptConfirmResult, "Asks for yes or no.";
    call prompt_input "promptInput" PromptInputParameters => PromptInputResult, "Asks for a text.";
    call prompt_multi_select "promptMultiSelect" PromptMultiSelectParameters => PromptMultiSelectResult, "Asks for any number of choices; without a person all of them are chosen.";
    call show_overlay "showOverlay" OverlayParameters => OverlayResult, "Shows a text to read, with buttons.";
    notify send_message "sendMessage" MessageParameters => (), "Sends a prompt; it waits while the agent works.";
    notify cancel_and_send "cancelAndSend" MessageParameters => (), "Cancels the running turn, drops what waits, and sends a prompt.";
    notify send_multimodal_message "sendMultimodalMessage" MultimodalMessageParameters => (), "Sends a prompt with files.";
    notify abort "abort" NoParameters => (), "Cancels the running turn and drops what waits.";
    get is_idle "isIdle" NoParameters => bool, "Whether the agent does nothing.";
    call compact "compact" CompactParameters => (), "Replaces older messages by a summary.";
    call new_session "newSession" NewSessionParameters => NewSessionResult, "Makes a new session the current one.";
    call get_session_usage "getSessionUsage" NoParameters => SessionUsage, "What the session has used.";
    get get_context_stats "getContextStats" NoParameters => ContextStats, "How full the context is.";
    call get_messages "getMessages" NoParameters => Vec<SessionMessage>, "The messages of the current branch, from the root to the leaf.";
    call get_session_path "getSessionPath" NoParameters => String, "The session's file; empty where it has none.";
    call append_entry "appendEntry" AppendEntryParameters => AppendEntryResult, "Adds an entry to the session's file that no model sees.";
    call get_entries "getEntries" GetEntriesParameters => Vec<SessionEntry>, "The entries of extensions on the current branch.";
    get get_state "getState" StateKeyParameters => Option<String>, "A value of the session's state.";
    call set_state "setState" SetStateParameters => (), "Sets a value of the session's state; returns when it is on disk.";
    call delete_state "deleteState" StateKeyParameters => bool, "Removes a value of the session's state; tells whether it was there.";
    get list_state "listState" NoParameters => Vec<String>, "The keys of the session's state.";
    get get_option "getOption" OptionParameters => String, "The value of an option; empty where there is none.";
    notify set_option "setOption" SetOptionParameters => (), "Sets an option until the server ends.";
    call set_model "setModel" ModelParameters => (), "Changes the session's model.";
    call get_available_models "getAvailableModels" NoParameters => Vec<Model>, "The models that can be used, with their prices.";
    get get_current_model_id "getCurrentModelId" NoParameters => String, "The name of the session's model.";
    get get_current_provider "getCurrentProvider" NoParameters => String, "The provider of the session's model.";
    call get_model_capabilities "getModelCapabilities" OptionalModelParameters => Option<Model>, "What is known about a model, or about the session's.";
    call check_model_available "checkModelAvailable" ModelParameters => bool, "Whether a model can be used.";
    call resolve_model_chain "resolveModelChain" ModelChainParameters => String, "The first of several models that can be used; empty where none can.";
    get get_thinking_level "getThinkingLevel" NoParameters => String, "The thinking level.";
    call set_thinking_level "setThinkingLevel" ThinkingLevelParameters => (), "Changes the thinking level.";
    get get_all_tools "getAllTools" NoParameters => Vec<ToolInfo>, "All tools of the session.";
    notify set_active_tools "setActiveTools" SetActiveToolsParameters => (), "Lets the model call these tools only; without names, all of them.";
    call complete "complete" CompleteParameters => CompleteResult, "One call of a model, without tools.";
    call spawn_subagent "spawnSubagent" SpawnSubagentParameters => SpawnSubagentResult, "Spawns a subagent.";
    call wait_subagent "waitSubagent" SubagentParameters => SubagentResult, "Waits for the end of a subagent.";
    call list_subagents "listSubagents" NoParameters => Vec<SubagentInfo>, "The subagents of the session that work, wait for their place, or are done and were not waited for.";
    notify kill_subagent "killSubagent" SubagentParameters => (), "Ends a subagent; without effect after its end.";
    call emit_custom_event "emitCustomEvent" EmitCustomEventParameters => EmitCustomEventResult, "Sends an event to extensions; returns when their handlers have run.";
    notify tool_progress "tool.progress" ToolProgressParameters => (), "Shows progress of a running tool of this extension.";
    get tool_is_cancelled "tool.isCancelled" ToolCallParameters => bool, "Whether a call of a tool of this extension is no longer wanted.";
    notify reload_extensions "reloadExtensions" NoParameters => (), "Loads all extensions again.";
    notify exit "exit" NoParameters => (), "Ends a headless run; an editor ends its server itself, and cancels the turn here.";
    call get_tree_node "getTreeNode" EntryParameters => Option<TreeNode>, "An entry of the session's tree.";
    call get_current_branch "getCurrentBranch" NoParameters => Vec<TreeNode>, "The entries of the current branch, from the root to the leaf.";
    call get_children "getChildren" EntryParameters => Vec<TreeNode>, "The entries after an entry.";
    call navigate_to "navigateTo" EntryParameters => NavigationResult, "Goes to another entry of the tree.";
    call summarize_branch "summarizeBranch" BranchParameters => String, "A summary of a part of a branch, by the session's model.";
    call collapse_branch "collapseBranch" CollapseBranchParameters => NavigationResult, "Goes back before a part of a branch and puts a summary in its place.";
    call get_available_skills "getAvailableSkills" NoParameters => Vec<Skill>, "The skills that there are.";
    call discover_skills "discoverSkills" NoParameters => Vec<Skill>, "Looks for skills again.";
    call load_skill "loadSkill" PathParameters => Skill, "Reads a skill from a file.";
    call load_skills_from_dir "loadSkillsFromDir" PathParameters => Vec<Skill>, "Reads the skills of a folder.";
    call inject_skill_as_context "injectSkillAsContext" NameParameters => (), "Starts a turn with a skill.";
    call inject_raw_skill_as_context "injectRawSkillAsContext" PathParameters => (), "Starts a turn with a skill from a file.";
    get parse_template "parseTemplate" TemplateParameters => ParsedTemplate, "The names in a template.";
    get render_template "renderTemplate" RenderTemplateParameters => String, "Puts values into a template.";
    get parse_arguments "parseArguments" ParseArgumentsParameters => ParsedArguments, "Takes a line of arguments apart.";
    get simple_parse_arguments "simpleParseArguments" SimpleParseArgumentsParameters => Vec<String>, "The whole line, its first words, and what is left.";
    get evaluate_model_conditional "evaluateModelConditional" ModelConditionParameters => bool, "Whether the session's model matches one of several patterns.";
    get render_with_model_conditionals "renderWithModelConditionals" TextParameters => String, "Resolves `<if-model is=\"…\">…<else>…</if-model>` for the session's model.";
    call fs_read "fs.read" ReadFileParameters => ReadFileResult, "Reads a file; unsaved text of an open document comes first. Through `call-bytes`, its bytes.";
    call fs_write "fs.write" WriteFileParameters => WriteFileResult, "Writes a file; the change can be reviewed like one of the agent. Through `call-bytes`, bytes.";
    call fs_list "fs.list" ListFilesParameters => Vec<FileEntry>, "Lists a folder.";
    call fs_stat "fs.stat" PathParameters => FileInfo, "What is known about a path.";
    call http_fetch "http.fetch" FetchParameters => FetchResult, "Sends a request over HTTP; through `call-bytes`, bodies are bytes.";
    call exec_run "exec.run" RunParameters => RunResult, "Runs a command, confined as commands of the agent are.";
    get env_get "env.get" EnvironmentParameters => Option<String>, "Reads an environment variable.";
    call sleep "sleep" SleepParameters => (), "Waits; what timers are made of.";
    notify set_ui_visibility "setUIVisibility" VisibilityParameters => (), "Without effect in editors.";
    get get_terminal_size "getTerminalSize" NoParameters => TerminalSize, "Always 0: editors have no terminal.";
    get list_themes "listThemes" NoParameters => Vec<String>, "Always empty: editors have their own themes.";
    get get_theme "getTheme" NoParameters => String, "Always empty: editors have their own themes.";
    notify set_theme "setTheme" ThemeParameters => (), "Without effect in editors.";
    notify register_theme "registerTheme" ThemeParameters => (), "Without effect in editors.";
    notify set_editor "setEditor" NoParameters => (), "Without effect: editors keep their own keys.";
    notify reset_editor "resetEditor" NoParameters => (), "Without effect: editors keep their own keys.";
}

#[cfg(test)]
mod tests {
    use kit_contract::METHODS;

    use super::NAMES;

    #[test]
    fn every_method_of_the_contract_is_here_by_its_door() {
        let known: Vec<(String, &str)> =
            METHODS.iter().map(|method| (format!("{:?}", method.door).to_lowercase(), method.name)).collect();
        let here: Vec<(String, &str)> =
            NAMES.iter().map(|(door, name)| ((*door).to_owned(), *name)).collect();
        assert_eq!(here, known);
    }
}
