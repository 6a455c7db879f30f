//! A world for the ledger: files by name, whoever changes them, and the glue that carries plans out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use kit_protocol::{
    AgentId, Attribution, ReviewAnswer, ReviewHunk, ReviewListArguments, ReviewedFile, SessionId, ToolCallId,
    TurnId,
};
use kit_review::{Current, Ledger, Notice, Plan, PlanOutcome, Selection, Target};
use kit_text::Text;
use kit_workspace::{Author, Change, DocumentUri};
use tempfile::TempDir;

type Files = Arc<Mutex<BTreeMap<DocumentUri, Text>>>;

/// One editor with its ledger. Clones of the desk share files and folder, as two editors on one workspace do.
pub(crate) struct Desk {
    files: Files,
    folder: Arc<TempDir>,
    pub(crate) ledger: Ledger,
}

pub(crate) fn uri(name: &str) -> DocumentUri {
    DocumentUri::parse(&format!("file:///work/{name}"))
}

pub(crate) fn by(turn: &str) -> Attribution {
    Attribution {
        session: SessionId::new("session"),
        turn: TurnId::new(turn),
        agent: AgentId::main(),
        tool_call_id: ToolCallId::new(format!("call of {turn}")),
        title: format!("edit of {turn}"),
    }
}

fn open(files: &Files, folder: &Path) -> Ledger {
    let files = files.clone();
    let texts =
        move |uri: &DocumentUri| Ok(Current { text: files.lock().unwrap().get(uri).cloned(), version: None });
    Ledger::open(folder, Arc::new(texts)).unwrap()
}

impl Desk {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(name, text)| (uri(name), Text::from(*text))).collect();
        let files: Files = Arc::new(Mutex::new(files));
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let ledger = open(&files, folder.path());
        Self { files, folder, ledger }
    }

    /// Another process on the same files and folder.
    pub(crate) fn second_editor(&self) -> Self {
        Self {
            files: self.files.clone(),
            folder: self.folder.clone(),
            ledger: open(&self.files, self.folder.path()),
        }
    }

    /// The process dies and a new one begins.
    pub(crate) fn restart(&mut self) -> Vec<Notice> {
        self.ledger = open(&self.files, self.folder.path());
        self.ledger.take_notices()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.files.lock().unwrap().get(&uri(name)).map(Text::to_string)
    }

    fn set(&self, uri: &DocumentUri, text: Option<&Text>) -> Option<Text> {
        let mut files = self.files.lock().unwrap();
        match text {
            Some(text) => files.insert(uri.clone(), text.clone()),
            None => files.remove(uri),
        }
    }

    /// Changes a file without anybody telling the ledger.
    pub(crate) fn unnoticed(&self, name: &str, text: Option<&str>) {
        self.set(&uri(name), text.map(Text::from).as_ref());
    }

    pub(crate) fn change(&mut self, uri: &DocumentUri, text: Option<&Text>, author: Author) -> bool {
        let before = self.set(uri, text);
        let change = Change {
            uri: uri.clone(),
            version: None,
            existed: before.is_some(),
            exists: text.is_some(),
            before: before.unwrap_or_default(),
            after: text.cloned().unwrap_or_default(),
            author,
        };
        self.ledger.record(&change).unwrap()
    }

    pub(crate) fn agent(&mut self, turn: &str, name: &str, text: Option<&str>) {
        self.change(&uri(name), text.map(Text::from).as_ref(), Author::Agent(by(turn)));
    }

    pub(crate) fn user(&mut self, name: &str, text: Option<&str>) {
        self.change(&uri(name), text.map(Text::from).as_ref(), Author::User);
    }

    pub(crate) fn keep(&mut self, selection: Selection) -> ReviewAnswer {
        self.ledger.keep(&selection).unwrap()
    }

    pub(crate) fn undo(&mut self, selection: Selection) -> ReviewAnswer {
        let planned = self.ledger.plan_undo(&selection, None).unwrap();
        let mut answer = ReviewAnswer {
            applied: planned.applied,
            conflicts: planned.conflicts,
            ..ReviewAnswer::default()
        };
        self.carry_out(planned.plans, &mut answer);
        answer
    }

    pub(crate) fn revert(&mut self) -> ReviewAnswer {
        let planned = self.ledger.plan_revert().unwrap();
        let mut answer = ReviewAnswer {
            applied: planned.applied,
            conflicts: planned.conflicts,
            ..ReviewAnswer::default()
        };
        self.carry_out(planned.plans, &mut answer);
        answer
    }

    /// Rewinds and answers which files were skipped.
    pub(crate) fn rewind(&mut self, turns: &[&str]) -> Vec<(DocumentUri, String)> {
        let turns: Vec<TurnId> = turns.iter().map(|turn| TurnId::new(*turn)).collect();
        let rewind = self.ledger.plan_rewind(&SessionId::new("session"), &turns).unwrap();
        self.carry_out(rewind.planned.plans, &mut ReviewAnswer::default());
        rewind.skip
    }

    pub(crate) fn carry_out(&mut self, plans: Vec<Plan>, answer: &mut ReviewAnswer) {
        for plan in plans {
            let there = self.files.lock().unwrap().get(&plan.uri).cloned();
            let outcome = if there == plan.expected_current {
                let text = match &plan.target {
                    Target::Text(text) | Target::Restore(text) => Some(text.clone()),
                    Target::Delete => None,
                };
                self.change(&plan.uri.clone(), text.as_ref(), Author::Review);
                PlanOutcome::Applied
            } else {
                PlanOutcome::Failed { why: "the file changed meanwhile".to_owned() }
            };
            let committed = self.ledger.commit(plan, outcome).unwrap();
            answer.applied.extend(committed.applied);
            answer.conflicts.extend(committed.conflicts);
        }
    }

    pub(crate) fn reviewed(&self, name: &str) -> Option<ReviewedFile> {
        let arguments = ReviewListArguments { uri: Some(uri(name).as_str().to_owned()), session: None };
        self.ledger.list(&arguments).files.pop()
    }

    pub(crate) fn hunks(&self, name: &str) -> Vec<ReviewHunk> {
        self.reviewed(name).map(|file| file.hunks).unwrap_or_default()
    }

    /// Old and new text of each hunk.
    pub(crate) fn changes(&self, name: &str) -> Vec<(String, String)> {
        self.hunks(name).into_iter().map(|hunk| (hunk.old_text, hunk.new_text)).collect()
    }

    /// The selection of one hunk.
    pub(crate) fn hunk(&self, name: &str, index: usize) -> Selection {
        Selection::Hunks(vec![self.hunks(name)[index].id.clone()])
    }

    pub(crate) fn baseline(&self, name: &str) -> Option<String> {
        self.ledger.baseline(&uri(name)).map(|text| text.to_string())
    }
}

/// Old and new texts for comparison with [`Desk::changes`].
pub(crate) fn pairs(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    changes.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect()
}
