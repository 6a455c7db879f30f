//! Prompts and the commands that become prompts.
//!
//! A prompt is made into a message here, before its session gets it, so that the session never waits for files, git or
//! the editor. Prompts of one session are made one after the other, in the order in which they came.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use kit_protocol::{
    CommandInput, CommandKind, CommandListAnswer, CommandListArguments, CommandRunAnswer,
    CommandRunArguments, CompleteAnswer, CompleteArguments, KitError, NamedCommand, Part, PromptAnswer,
    PromptArguments, SessionId, TurnId,
};
use kit_text::Encoding;
use kit_tools::diagnostics;

use super::programs::Script;
use super::{Sessions, blocking};
use crate::activate_skill::ActivateSkill;
use crate::complete;
use crate::compose::{self, Composed, Draft, Enclosure, Invocation, MCP, SKILL};
use crate::contributions::{CommandAction, CommandCall, CommandOutcome};
use crate::hooks::InputSource;
use crate::op::{Answer, ChangedBy, Changes, Op, Place, Prompt};
use crate::project::template::ActionKind;
use crate::project::{Library, Projects};
use crate::update_plan::UpdatePlan;

impl Sessions {
    /// `kit.session.prompt`. `turn` is the turn's id unless the prompt joins a running one.
    pub async fn prompt(
        &self,
        arguments: PromptArguments,
        encoding: Encoding,
        turn: TurnId,
    ) -> Result<PromptAnswer, KitError> {
        self.prompt_from(InputSource::Interactive, arguments, encoding, turn).await
    }

    /// The same for a prompt that no person typed in an editor.
    pub async fn prompt_from(
        &self,
        source: InputSource,
        arguments: PromptArguments,
        encoding: Encoding,
        turn: TurnId,
    ) -> Result<PromptAnswer, KitError> {
        self.prompt_with(source, arguments, Vec::new(), encoding, turn).await
    }

    /// The same with what came along with it.
    pub async fn prompt_with(
        &self,
        source: InputSource,
        arguments: PromptArguments,
        enclosures: Vec<Enclosure>,
        encoding: Encoding,
        turn: TurnId,
    ) -> Result<PromptAnswer, KitError> {
        self.prompt_or_invocation(source, arguments, enclosures, None, encoding, turn).await
    }

    async fn prompt_or_invocation(
        &self,
        source: InputSource,
        arguments: PromptArguments,
        enclosures: Vec<Enclosure>,
        invocation: Option<Invocation>,
        encoding: Encoding,
        turn: TurnId,
    ) -> Result<PromptAnswer, KitError> {
        let PromptArguments { text, session, context, attachments, mode, model, thinking, delivery } =
            arguments;
        let session = match session.or_else(|| self.shared.board.current()) {
            Some(session) => session,
            None => {
                let cwd = self.root_for(context.first().map(|item| item.uri.as_str()));
                self.start_new(cwd, None)
            }
        };
        let lane = self.lane(&session);
        let _first = lane.lock().await;
        let place = self.ask(&session, Op::Place).await?;
        let answering = model.as_ref().or(place.model.as_ref()).map(ToString::to_string);
        let setup = self.shared.setup_of(&place.cwd);
        let draft = Draft {
            text,
            invocation,
            context,
            attachments,
            enclosures,
            encoding,
            cwd: place.cwd,
            model: answering.or_else(|| setup.settings.model.clone()).unwrap_or_default(),
        };
        let Composed { parts, references } = compose::compose(&self.shared, draft).await?;
        let prompt = Prompt {
            turn,
            parts,
            references,
            delivery: delivery.unwrap_or_default(),
            changes: Changes { mode, model, thinking, by: ChangedBy::User },
            source,
        };
        let answer = self.ask(&session, |answer| Op::Prompt(Box::new(prompt), answer)).await?;
        self.shared.board.set_current(&session);
        Ok(answer)
    }

    /// Makes a program's prompt into a message, as a user's would be, and hands it over.
    pub(super) async fn run_script(
        &self,
        session: &SessionId,
        script: Script,
        op: impl FnOnce(Prompt, Answer<PromptAnswer>) -> Op,
    ) -> Result<PromptAnswer, KitError> {
        let Script { text, media, delivery } = script;
        let lane = self.lane(session);
        let _first = lane.lock().await;
        let place = self.ask(session, Op::Place).await?;
        let draft = Draft {
            text,
            invocation: None,
            context: Vec::new(),
            attachments: Vec::new(),
            enclosures: Vec::new(),
            encoding: Encoding::Utf16,
            cwd: place.cwd,
            model: place.model.map(|model| model.to_string()).unwrap_or_default(),
        };
        let Composed { mut parts, references } = compose::compose(&self.shared, draft).await?;
        parts.extend(media.into_iter().map(Part::Image));
        let source = InputSource::Script;
        let (turn, changes) = (TurnId::random(), Changes::default());
        let prompt = Prompt { turn, parts, references, delivery, changes, source };
        self.ask(session, |answer| op(prompt, answer)).await
    }

    /// The command of an extension that a prompt begins with, to be run instead of the prompt. Templates, skills and prompts
    /// of MCP servers are none: they belong to a turn. Waits for commands that are just being loaded.
    pub async fn command_in(
        &self,
        text: &str,
        session: Option<SessionId>,
    ) -> Result<Option<CommandRunArguments>, KitError> {
        self.shared.with.contributions.arrived().await;
        let Some(Invocation { name, input }) = compose::invocation_in(text) else { return Ok(None) };
        let listed = self.command_list(CommandListArguments { session: session.clone() }).await?;
        let is_known = listed
            .commands
            .iter()
            .any(|command| command.name == name && command.kind == CommandKind::Extension);
        Ok(is_known.then(|| CommandRunArguments {
            name,
            args: Some(input),
            context: Vec::new(),
            attachments: Vec::new(),
            session,
            mode: None,
            model: None,
            thinking: None,
            delivery: None,
        }))
    }

    /// `kit.command.run`: a template or skill starts a turn like a prompt; other commands do what their source does.
    pub async fn run_command(
        &self,
        arguments: CommandRunArguments,
        encoding: Encoding,
        turn: TurnId,
    ) -> Result<CommandRunAnswer, KitError> {
        let CommandRunArguments {
            name,
            args,
            context,
            attachments,
            session,
            mode,
            model,
            thinking,
            delivery,
        } = arguments;
        let name = name.trim().trim_start_matches('/').to_owned();
        let input = args.unwrap_or(CommandInput::Line(String::new()));
        let session = session.or_else(|| self.shared.board.current());
        let cwd = match &session {
            Some(session) => self.ask(session, Op::Place).await?.cwd,
            None => self.root_for(context.first().map(|item| item.uri.as_str())),
        };
        let prompt = |text, context| PromptArguments {
            text,
            session: session.clone(),
            context,
            attachments,
            mode,
            model,
            thinking,
            delivery,
        };
        let library = self.shared.library(&cwd).await;
        let skill = name.strip_prefix(SKILL).is_some_and(|skill| library.skills.contains_key(skill));
        let contributions = &self.shared.with.contributions;
        if skill || name.starts_with(MCP) || library.templates.contains_key(&name) {
            let invocation = Invocation { name, input };
            let answer = self
                .prompt_or_invocation(
                    InputSource::Interactive,
                    prompt(String::new(), context),
                    Vec::new(),
                    Some(invocation),
                    encoding,
                    turn,
                )
                .await?;
            return Ok(accepted(answer));
        }
        let (words, line) = compose::spelled(input);
        let call = CommandCall {
            name: name.clone(),
            words,
            line,
            session: session.clone(),
            cwd: cwd.clone(),
            context: context.clone(),
            encoding,
        };
        let Some(running) = contributions.run(call) else {
            let others: Vec<String> =
                contributions.commands(&cwd).into_iter().map(|command| command.name).collect();
            return Err(compose::unknown(&name, &library, &others));
        };
        match running.await? {
            CommandOutcome::Output(output) => {
                Ok(CommandRunAnswer { output: Some(output), ..CommandRunAnswer::default() })
            }
            CommandOutcome::Prompt { text, media } => {
                let (source, arguments) = (InputSource::Script, prompt(text, context));
                let enclosures = media.into_iter().map(Enclosure::Media).collect();
                Ok(accepted(self.prompt_with(source, arguments, enclosures, encoding, turn).await?))
            }
        }
    }

    /// `kit.command.list`: templates, skills, and what extensions and MCP servers contribute.
    pub async fn command_list(&self, arguments: CommandListArguments) -> Result<CommandListAnswer, KitError> {
        let cwd = self.folder_of(arguments.session).await?;
        let library = self.shared.library(&cwd).await;
        let projects = Arc::clone(&self.shared.with.projects);
        let root = cwd.clone();
        let withheld = blocking(move || projects.withheld(&root)).await?;
        let mut commands = commands(&library);
        commands.extend(self.shared.with.contributions.commands(&cwd));
        // Those before hide those behind.
        commands.sort_by(|one, other| one.name.cmp(&other.name));
        commands.dedup_by(|later, earlier| later.name == earlier.name);
        Ok(CommandListAnswer { commands, problems: library.problems.clone(), withheld })
    }

    /// The templates that ask to be code actions, for a document: kind, name and description. What was read a moment ago
    /// is good enough.
    pub async fn code_actions(&self, uri: &str) -> Vec<TemplateAction> {
        let cwd = self.root_for(Some(uri));
        let library = self.shared.recent_library(&cwd).await;
        let offered = library.templates.values().filter_map(|template| {
            Some(TemplateAction {
                kind: template.action?,
                name: template.name.clone(),
                description: template.description.clone(),
            })
        });
        offered.collect()
    }

    /// The commands of extensions and their like that ask to be code actions.
    pub fn command_actions(&self) -> Vec<CommandAction> {
        self.shared.with.contributions.actions()
    }

    /// `kit.prompt.complete`: what fits at the cursor of a prompt that is being written.
    pub async fn complete(
        &self,
        arguments: CompleteArguments,
        encoding: Encoding,
    ) -> Result<CompleteAnswer, KitError> {
        let CompleteArguments { text, position, session } = arguments;
        let session = session.or_else(|| self.shared.board.current());
        let cwd = self.folder_of(session.clone()).await?;
        complete::complete(&self.shared, &cwd, session, &text, position, encoding).await
    }

    /// Which projects are trusted, and what is not loaded.
    pub fn projects(&self) -> &Arc<Projects> {
        &self.shared.with.projects
    }

    /// Looks at the files of all roots in the background, so that what is wrong with them is shown at their lines.
    pub fn look_at_projects(&self) {
        let (shared, roots) = (Arc::clone(&self.shared), self.roots());
        self.in_background(async move {
            for root in roots {
                shared.library(&root).await;
            }
        });
    }

    /// Adds the tools that need a session's surroundings.
    pub(super) fn offer_context_tools(self: &Arc<Self>) {
        let shared = &self.shared;
        let tool = ActivateSkill::new(Arc::clone(&shared.with.projects));
        shared.with.tools.add_core(Arc::new(tool));
        shared.with.tools.add_core(Arc::new(UpdatePlan::new(self)));
        if shared.with.workspace.editor().has_diagnostics() {
            shared.with.tools.add_core(Arc::new(diagnostics::Diagnostics));
        }
        self.apply_to_tools(&shared.setup().settings);
    }

    /// The folder of a session, of the current one, or the first root.
    async fn folder_of(&self, session: Option<SessionId>) -> Result<PathBuf, KitError> {
        match session.or_else(|| self.shared.board.current()) {
            Some(session) => {
                let Place { cwd, .. } = self.ask(&session, Op::Place).await?;
                Ok(cwd)
            }
            None => Ok(self.root_for(None)),
        }
    }

    /// Where the prompts of a session wait for each other.
    fn lane(&self, session: &SessionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        Arc::clone(lanes.entry(session.clone()).or_default())
    }
}

/// A template that an editor offers among its actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateAction {
    /// Where it is offered.
    pub kind: ActionKind,
    /// The template.
    pub name: String,
    /// What it does; may be empty.
    pub description: String,
}

fn accepted(answer: PromptAnswer) -> CommandRunAnswer {
    CommandRunAnswer {
        session: Some(answer.session),
        turn: Some(answer.turn),
        queued: Some(answer.queued),
        output: None,
    }
}

/// Templates and skills as commands.
pub(crate) fn commands(library: &Library) -> Vec<NamedCommand> {
    let templates = library.templates.values().map(|template| NamedCommand {
        name: template.name.clone(),
        kind: CommandKind::Template,
        description: template.description.clone(),
        arguments: template.usage(),
        required: u32::try_from(template.needs().words).unwrap_or(u32::MAX),
        source: Some(template.path.to_string_lossy().into_owned()),
    });
    let skills = library.skills.values().map(|skill| NamedCommand {
        name: format!("{SKILL}{}", skill.name),
        kind: CommandKind::Skill,
        description: skill.description.clone(),
        arguments: Some("[task]".to_owned()),
        required: 0,
        source: Some(skill.path.to_string_lossy().into_owned()),
    });
    templates.chain(skills).collect()
}
