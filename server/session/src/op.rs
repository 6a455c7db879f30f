//! What a session can be asked to do. Each request carries the channel of its answer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_protocol::{
    Delivery, EntryId, KitError, Mode, ModeSetAnswer, ModelId, ModelSetAnswer, Part, PlanEntry, PromptAnswer,
    QueueAnswer, SessionAnswer, SessionTreeAnswer, Settings, ThinkingLevel, ThinkingSetAnswer,
    TranscriptAnswer, TurnId, Usage, UsageAnswer,
};
use tokio::sync::oneshot;

use crate::actor::Asked;
use crate::budget::{Purse, Reservation, Spend};
use crate::dependencies::Setups;
use crate::history::History;
use crate::hooks::InputSource;
use crate::reference::Reference;
use crate::sessions::look::SessionView;
use crate::sessions::programs::{CallDisplay, SessionTool};
use crate::subagent::Errand;
use crate::subagent::nursery::Nursery;

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, KitError>>;

/// A prompt as the model gets it.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) turn: TurnId,
    /// The user's text first.
    pub(crate) parts: Vec<Part>,
    /// What it refers to.
    pub(crate) references: Vec<Reference>,
    pub(crate) delivery: Delivery,
    pub(crate) changes: Changes,
    pub(crate) source: InputSource,
}

/// Where a session works, and the model that answers as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) cwd: PathBuf,
    pub(crate) model: Option<ModelId>,
}

/// Settings of a session that change with a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) mode: Option<Mode>,
    pub(crate) model: Option<ModelId>,
    pub(crate) thinking: Option<ThinkingLevel>,
    pub(crate) by: ChangedBy,
}

impl Changes {
    /// These, and what the settings say where nothing is said.
    pub(crate) fn or_as(self, settings: &Settings) -> Self {
        let model = || settings.model.as_deref().and_then(|model| model.parse().ok());
        Self {
            mode: self.mode.or(settings.mode),
            model: self.model.or_else(model),
            thinking: self.thinking.or(settings.thinking_level),
            by: self.by,
        }
    }
}

/// What the settings say to the sessions that are open.
#[derive(Clone)]
pub(crate) struct Adoption {
    /// What the user chose for new sessions.
    pub(crate) chosen: Changes,
    pub(crate) before: Arc<Setups>,
    pub(crate) now: Arc<Setups>,
}

impl Adoption {
    /// What new sessions in a folder start with, and what of it is another than before.
    pub(crate) fn of(&self, folder: &Path) -> (Changes, Changes) {
        let under = |setups: &Setups| self.chosen.clone().or_as(&setups.of(folder).settings);
        let (before, now) = (under(&self.before), under(&self.now));
        let changed = Changes {
            mode: (before.mode != now.mode).then(|| now.mode.unwrap_or_default()),
            model: now.model.clone().filter(|_| before.model != now.model),
            thinking: (before.thinking != now.thinking).then(|| now.thinking.unwrap_or_default()),
            by: ChangedBy::Settings,
        };
        (now, changed)
    }
}

/// Who changed a setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangedBy {
    /// The user.
    #[default]
    User,
    /// An extension.
    Extension,
    /// The settings, where nobody had chosen.
    Settings,
}

impl ChangedBy {
    /// The `source` of events.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Extension => "extension",
            Self::Settings => "settings",
        }
    }
}

/// What becomes of a branch that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It stays in the tree.
    Silent,
    /// The model on the new branch is told what came of it.
    Summary { focus: Option<String> },
}

/// Which waiting prompts are taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TakeBack {
    Nothing,
    One(String),
    All,
}

/// A session at a moment.
pub(crate) struct View {
    pub(crate) history: Arc<History>,
    pub(crate) facts: SessionView,
}

/// What a subagent gets from the session that it works for.
pub(crate) struct Heritage {
    pub(crate) cwd: PathBuf,
    /// The session's file, which the subagent's header names.
    pub(crate) file: PathBuf,
    pub(crate) mode: Mode,
    pub(crate) model: Option<ModelId>,
    pub(crate) thinking: ThinkingLevel,
    /// The tools that it may use right now, without the one that starts subagents.
    pub(crate) tools: BTreeSet<String>,
    /// Whether it is a subagent itself.
    pub(crate) is_subagent: bool,
    pub(crate) nursery: Arc<Nursery>,
    /// What the subagent's calls are paid from.
    pub(crate) purse: Arc<Purse>,
}

/// A request to a session.
pub(crate) enum Op {
    /// Starts, queues or steers.
    Prompt(Box<Prompt>, Answer<PromptAnswer>),
    /// Cancels what runs, takes back what waits, and runs this next.
    Interrupt(Box<Prompt>, Answer<PromptAnswer>),
    /// Cancels what runs and takes back what waits.
    Abort(Answer<Vec<TurnId>>),
    /// Keeps data of an extension: its kind and the data.
    AppendEntry(String, String, Answer<EntryId>),
    /// Puts a summary in the place of a part of the current branch.
    Collapse(EntryId, EntryId, String, Answer<EntryId>),
    /// Tells the tools, also those that are switched off.
    Tools(Answer<Vec<SessionTool>>),
    /// Leaves the model only these tools.
    SetActiveTools(Vec<String>, Answer<()>),
    /// Tells how a tool call is shown.
    Display(CallDisplay),
    /// Puts a plan in the place of the one before.
    SetPlan(Vec<PlanEntry>, Answer<()>),
    /// Sets apart what a model call beside the conversation costs at least, if the budgets have it.
    Reserve(Spend, Answer<Option<Reservation>>),
    /// Counts a model call beside the conversation.
    Paid(Usage, Answer<Usage>),
    /// Repeats the last prompt.
    Retry(TurnId, Answer<PromptAnswer>),
    /// Cancels a turn, or the running one.
    Cancel(Option<TurnId>),
    /// Tells where it works and which model answers.
    Place(Answer<Place>),
    /// Tells id, file and name.
    Describe(Answer<SessionAnswer>),
    /// Tells how it is and which entries it has.
    View(Answer<View>),
    Rename(String, Answer<SessionAnswer>),
    /// Continues from an entry, or from before the first one.
    Branch(Option<EntryId>, Farewell, Answer<SessionAnswer>),
    /// Replaces older messages by a summary; answers once that has begun.
    Compact(Asked, Answer<SessionAnswer>),
    /// Gives an entry a label, or takes it away.
    Label(EntryId, String, Answer<SessionAnswer>),
    /// Tells the prompts that wait, after taking back some of them.
    Queue(TakeBack, Answer<QueueAnswer>),
    /// Copies the branch up to an entry, or to the leaf, into a new file.
    Fork(Option<EntryId>, Option<String>, Answer<SessionAnswer>),
    /// Copies the file, or writes Markdown when the name ends in `.md`.
    Export(PathBuf, Answer<SessionAnswer>),
    Tree(Answer<SessionTreeAnswer>),
    Transcript(Option<u64>, Answer<TranscriptAnswer>),
    Markdown(Answer<String>),
    Usage(Answer<UsageAnswer>),
    SetModel(ModelId, ChangedBy, Answer<ModelSetAnswer>),
    SetThinking(ThinkingLevel, ChangedBy, Answer<ThinkingSetAnswer>),
    SetMode(Mode, Answer<ModeSetAnswer>),
    /// Takes over what the settings say now, as far as nobody chose it. Answers the mode where it is another one now.
    Adopt(Adoption, Answer<Option<Mode>>),
    /// A login came or went.
    LookAtLogins,
    /// The turn and all that came after it on the current branch.
    TurnsFrom(TurnId, Answer<Vec<TurnId>>),
    /// Continues from before a turn.
    RewindTo(TurnId, Answer<()>),
    /// Tells what a subagent inherits.
    Heritage(Answer<Heritage>),
    /// Works on a task for another session, and reports to whoever waits for it.
    Work(Box<Errand>),
    /// Cancels what runs, saves, and lets go of the file.
    Close(oneshot::Sender<PathBuf>),
}

impl Op {
    /// Answers with an error.
    pub(crate) fn refuse(self, error: KitError) {
        // Nobody may be waiting any more, which is as good as an answer.
        let _unread = match self {
            Self::Abort(answer) => answer.send(Err(error)).is_ok(),
            Self::AppendEntry(_, _, answer) | Self::Collapse(_, _, _, answer) => {
                answer.send(Err(error)).is_ok()
            }
            Self::Tools(answer) => answer.send(Err(error)).is_ok(),
            Self::Reserve(_, answer) => answer.send(Err(error)).is_ok(),
            Self::Paid(_, answer) => answer.send(Err(error)).is_ok(),
            Self::Prompt(_, answer) | Self::Interrupt(_, answer) | Self::Retry(_, answer) => {
                answer.send(Err(error)).is_ok()
            }
            Self::Place(answer) => answer.send(Err(error)).is_ok(),
            Self::Describe(answer)
            | Self::Rename(_, answer)
            | Self::Branch(_, _, answer)
            | Self::Compact(_, answer)
            | Self::Label(_, _, answer)
            | Self::Fork(_, _, answer)
            | Self::Export(_, answer) => answer.send(Err(error)).is_ok(),
            Self::Queue(_, answer) => answer.send(Err(error)).is_ok(),
            Self::View(answer) => answer.send(Err(error)).is_ok(),
            Self::Tree(answer) => answer.send(Err(error)).is_ok(),
            Self::Transcript(_, answer) => answer.send(Err(error)).is_ok(),
            Self::Markdown(answer) => answer.send(Err(error)).is_ok(),
            Self::Usage(answer) => answer.send(Err(error)).is_ok(),
            Self::SetModel(_, _, answer) => answer.send(Err(error)).is_ok(),
            Self::SetThinking(_, _, answer) => answer.send(Err(error)).is_ok(),
            Self::SetMode(_, answer) => answer.send(Err(error)).is_ok(),
            Self::Adopt(_, answer) => answer.send(Err(error)).is_ok(),
            Self::TurnsFrom(_, answer) => answer.send(Err(error)).is_ok(),
            Self::RewindTo(_, answer) | Self::SetActiveTools(_, answer) | Self::SetPlan(_, answer) => {
                answer.send(Err(error)).is_ok()
            }
            Self::Heritage(answer) => answer.send(Err(error)).is_ok(),
            Self::Work(errand) => errand.refuse(error),
            Self::Cancel(_) | Self::LookAtLogins | Self::Display(_) | Self::Close(_) => false,
        };
    }
}

/// Sends an answer; whoever asked may have gone.
pub(crate) fn reply<T>(answer: Answer<T>, result: Result<T, KitError>) {
    let _unread = answer.send(result);
}
