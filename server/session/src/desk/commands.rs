//! Keep, undo, revert and rewind: what the review commands do with the ledger and the files.
//!
//! An undo is planned on the ledger, carried out through the workspace, which refuses if the file does not hold the
//! expected text, and committed. Where the user typed in between, it is planned again on the new text.

use std::sync::Arc;

use kit_protocol::{
    ErrorKind, HunkId, KitError, ReviewAnswer, ReviewArguments, ReviewConflict, ReviewListArguments,
    ReviewState, RewindAnswer, RewindSkip, SessionId, TurnId,
};
use kit_review::{Feedback, Plan, PlanOutcome, Selection, Target};
use kit_text::Text;
use kit_workspace::{Author, Change, DocumentUri, Workspace};
use tokio_util::sync::CancellationToken;

use super::ReviewDesk;

/// How often an undo is planned when the text moves under it.
const MOST_ATTEMPTS: usize = 3;
/// The largest block of feedback that a model gets at once.
const LARGEST_FEEDBACK: usize = 48 * 1024;

impl ReviewDesk {
    /// `kit.review.list`.
    pub(crate) async fn list(&self, wanted: ReviewListArguments) -> Result<ReviewState, KitError> {
        self.with(move |ledger| Ok(ledger.list(&wanted))).await
    }

    /// `kit.review.keep`.
    pub(crate) async fn keep(&self, arguments: ReviewArguments) -> Result<ReviewAnswer, KitError> {
        let selection = self.select(&arguments)?;
        self.with(move |ledger| ledger.keep(&selection)).await
    }

    /// `kit.review.undo`.
    pub(crate) async fn undo(&self, arguments: ReviewArguments) -> Result<ReviewAnswer, KitError> {
        let mut selection = self.select(&arguments)?;
        let reason = arguments.reason;
        let mut answer = ReviewAnswer::default();
        for attempt in 1..=MOST_ATTEMPTS {
            let (wanted, why) = (selection.clone(), reason.clone());
            let planned = self.with(move |ledger| ledger.plan_undo(&wanted, why)).await?;
            answer.applied.extend(planned.applied);
            answer.conflicts.extend(planned.conflicts);
            let mut moved: Vec<HunkId> = Vec::new();
            for plan in planned.plans {
                let hunks = plan.hunks.clone();
                match self.carry_out(plan).await? {
                    CarriedOut::Committed(part) => {
                        answer.applied.extend(part.applied);
                        answer.conflicts.extend(part.conflicts);
                    }
                    CarriedOut::Moved(_) if attempt < MOST_ATTEMPTS && !hunks.is_empty() => {
                        moved.extend(hunks)
                    }
                    CarriedOut::Moved(part) => answer.conflicts.extend(part.conflicts),
                }
            }
            if moved.is_empty() {
                break;
            }
            self.settled().await;
            selection = Selection::Hunks(moved);
        }
        Ok(answer)
    }

    /// `kit.review.revert`.
    pub(crate) async fn revert(&self) -> Result<ReviewAnswer, KitError> {
        let planned = self.with(kit_review::Ledger::plan_revert).await?;
        let mut answer = ReviewAnswer {
            applied: planned.applied,
            conflicts: planned.conflicts,
            ..ReviewAnswer::default()
        };
        for plan in planned.plans {
            let uri = plan.uri.as_str().to_owned();
            match self.carry_out(plan).await? {
                CarriedOut::Committed(part) => {
                    answer.files.extend(part.conflicts.is_empty().then_some(uri));
                    answer.applied.extend(part.applied);
                    answer.conflicts.extend(part.conflicts);
                }
                CarriedOut::Moved(part) => answer.conflicts.extend(part.conflicts),
            }
        }
        Ok(answer)
    }

    /// `kit.review.rewind` for the files. `turns` are the turn and all that came after it.
    pub(crate) async fn rewind(
        &self,
        session: SessionId,
        turns: Vec<TurnId>,
        preview: bool,
    ) -> Result<RewindAnswer, KitError> {
        let rewind = self.with(move |ledger| ledger.plan_rewind(&session, &turns)).await?;
        let mut answer = RewindAnswer { restore: Vec::new(), skip: Vec::new() };
        for (uri, why) in rewind.skip {
            answer.skip.push(RewindSkip { uri: uri.as_str().to_owned(), why });
        }
        for plan in rewind.planned.plans {
            let uri = plan.uri.as_str().to_owned();
            if preview {
                answer.restore.push(uri);
                continue;
            }
            match self.carry_out(plan).await? {
                CarriedOut::Committed(ReviewAnswer { .. }) => answer.restore.push(uri),
                CarriedOut::Moved(_) => {
                    answer.skip.push(RewindSkip { uri, why: MOVED.to_owned() });
                }
            }
        }
        Ok(answer)
    }

    /// The reviewed baseline of a file, for `kit-base:`.
    pub(crate) async fn baseline(&self, uri: &DocumentUri) -> Result<Option<Text>, KitError> {
        let uri = uri.clone();
        self.with(move |ledger| Ok(ledger.baseline(&uri))).await
    }

    /// What the model should know at its next request, as a block for the conversation.
    pub(crate) async fn take_feedback(&self, session: &SessionId) -> Option<String> {
        let session = session.clone();
        match self.with(move |ledger| ledger.take_feedback(&session)).await {
            Ok(news) => {
                let workspace = self.attached().ok().map(|(_, workspace)| workspace);
                feedback_block(&news, workspace.as_deref())
            }
            Err(error) => {
                tracing::warn!(%error, "the model is not told about the review");
                None
            }
        }
    }

    /// Forgets what can be rewound for a deleted session.
    pub(crate) async fn forget(&self, session: &SessionId) {
        let session = session.clone();
        if let Err(error) = self.with(move |ledger| ledger.forget_session(&session)).await {
            tracing::warn!(%error, "the review still remembers a deleted session");
        }
    }

    /// Writes what the user typed since the last operation.
    pub(crate) async fn flush(&self) {
        if let Err(error) = self.with(kit_review::Ledger::flush).await {
            tracing::warn!(%error, "the review is not saved");
        }
    }

    /// Takes in what happened on disk to files under review, by whoever is named: commands change files without telling.
    /// Open documents are left out, since their text is the editor's.
    pub(crate) async fn look_at_files(&self, author: Author) {
        let Ok((_, workspace)) = self.attached() else { return };
        let (runtime, workspace) = (tokio::runtime::Handle::current(), Arc::downgrade(&workspace));
        let looked = self.with(move |ledger| {
            for file in ledger.snapshot().files {
                let uri = DocumentUri::parse(&file.uri);
                let known = ledger.file(&uri).and_then(|file| file.current().cloned());
                let Ok(now) = super::current(&runtime, &workspace, &uri) else { continue };
                if now.version.is_some() || now.text == known {
                    continue;
                }
                ledger.record(&Change {
                    uri,
                    version: None,
                    existed: known.is_some(),
                    before: known.unwrap_or_default(),
                    exists: now.text.is_some(),
                    after: now.text.unwrap_or_default(),
                    author: author.clone(),
                })?;
            }
            Ok(())
        });
        if let Err(error) = looked.await {
            tracing::warn!(%error, "what a command did to files is not under review");
        }
    }

    /// The hunks that are meant. Lines are only meant for the version that the client drew.
    fn select(&self, arguments: &ReviewArguments) -> Result<Selection, KitError> {
        let selection = Selection::try_from(arguments)
            .map_err(|error| KitError::new(ErrorKind::InvalidRequest, error.to_string()))?;
        if let Selection::Lines { uri, .. } = &selection
            && let Some(drawn) = arguments.version
        {
            let (_, workspace) = self.attached()?;
            let now = workspace.documents().get(uri).map(|document| document.version);
            if now.is_some_and(|now| now != drawn) {
                return Err(KitError::new(
                    ErrorKind::Conflict,
                    format!("{uri} has changed since the lines were chosen; choose them again"),
                ));
            }
        }
        Ok(selection)
    }

    /// Changes the file of a plan and tells the ledger what came of it.
    async fn carry_out(&self, plan: Plan) -> Result<CarriedOut, KitError> {
        let (_, workspace) = self.attached()?;
        let outcome = apply(&workspace, &plan).await;
        // The ledger hears of the change itself before it hears that the plan is done.
        self.settled().await;
        match outcome {
            Ok(()) => {
                let committed = self.with(move |ledger| ledger.commit(plan, PlanOutcome::Applied)).await?;
                Ok(CarriedOut::Committed(committed))
            }
            Err(Failed::Moved) => Ok(CarriedOut::Moved(refused(&plan, MOVED))),
            Err(Failed::Other(why)) => {
                let failed = PlanOutcome::Failed { why };
                let committed = self.with(move |ledger| ledger.commit(plan, failed)).await?;
                Ok(CarriedOut::Committed(committed))
            }
        }
    }
}

const MOVED: &str = "the text changed in between; nothing was done to it";

/// What became of a plan.
enum CarriedOut {
    Committed(ReviewAnswer),
    /// The file did not hold the expected text.
    Moved(ReviewAnswer),
}

enum Failed {
    Moved,
    Other(String),
}

fn refused(plan: &Plan, why: &str) -> ReviewAnswer {
    let conflict = |id: &HunkId| ReviewConflict { id: id.clone(), why: why.to_owned() };
    ReviewAnswer { conflicts: plan.hunks.iter().map(conflict).collect(), ..ReviewAnswer::default() }
}

async fn apply(workspace: &Workspace, plan: &Plan) -> Result<(), Failed> {
    let other = |error: &dyn std::fmt::Display| Failed::Other(error.to_string());
    let location = workspace.locate(&plan.uri).map_err(|error| other(&error))?;
    match &plan.target {
        Target::Text(target) | Target::Restore(target) => {
            let expected = plan.expected_current.clone().unwrap_or_default();
            let change = |current: &Text| {
                if *current == expected { Ok(target.clone()) } else { Err(MOVED.to_owned()) }
            };
            let never = CancellationToken::new();
            match workspace.edit(&location, Author::Review, "Kit: undo", &change, &never).await {
                Ok(_) => Ok(()),
                Err(kit_workspace::EditError::Plan(_) | kit_workspace::EditError::Conflict { .. }) => {
                    Err(Failed::Moved)
                }
                Err(error) => Err(other(&error)),
            }
        }
        Target::Delete => {
            let expected = plan.expected_current.clone().unwrap_or_default();
            match workspace.delete(&location, &expected, Author::Review).await {
                Ok(()) => Ok(()),
                Err(kit_workspace::EditError::Conflict { .. }) => Err(Failed::Moved),
                Err(error) => Err(other(&error)),
            }
        }
    }
}

/// The news as a `<review>` block; what is too much is counted.
fn feedback_block(news: &[Feedback], workspace: Option<&Workspace>) -> Option<String> {
    let name = |uri: &str| {
        let located = workspace.and_then(|workspace| workspace.locate(&DocumentUri::parse(uri)).ok());
        located.map_or_else(|| uri.to_owned(), |location| location.display)
    };
    let mut block = String::new();
    let mut left_out = 0_usize;
    for one in news {
        let (uri, patch, what) = match one {
            Feedback::Kept { uri, patch } => (uri, patch, "The user kept this change of yours".to_owned()),
            Feedback::Undone { uri, patch, reason } => {
                let why = reason.as_deref().map(|reason| format!(", saying: {reason}")).unwrap_or_default();
                (uri, patch, format!("The user undid a change of yours{why}; this is what the undo did"))
            }
            Feedback::UserEdited { uri, patch } => (uri, patch, "The user changed this by hand".to_owned()),
        };
        let piece = format!("{what} ({}):\n{}\n", name(uri), patch.trim_end());
        if block.len() + piece.len() > LARGEST_FEEDBACK {
            left_out += 1;
        } else {
            block.push_str(&piece);
        }
    }
    if left_out > 0 {
        block.push_str(&format!("[{left_out} more changes are left out; read the files again]\n"));
    }
    (!block.is_empty()).then(|| format!("<review>\n{block}</review>"))
}
