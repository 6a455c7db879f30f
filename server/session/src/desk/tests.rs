use std::path::Path;

use kit_protocol::{AgentId, Attribution, Event, ReviewAnswer, ReviewArguments, ReviewState, Status};
use kit_workspace::{DiskEditor, Documents, Root};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::attention::Attention;

#[derive(Default)]
struct Published(Mutex<Vec<ReviewState>>);

impl Sink for Published {
    fn event(&self, _event: Event) {}
    fn status(&self, _status: Status) {}
    fn review(&self, state: ReviewState) {
        self.0.lock().unwrap().push(state);
    }
}

struct Fixture {
    desk: Arc<ReviewDesk>,
    workspace: Arc<Workspace>,
    published: Arc<Published>,
    board: Arc<Board>,
    folder: PathBuf,
}

/// A desk over the folder `w`, with its state in the folder `home`.
fn desk(directory: &Path) -> Fixture {
    let folder = directory.join("w");
    std::fs::create_dir_all(&folder).unwrap();
    let desk = ReviewDesk::new();
    let documents = Arc::new(Documents::new());
    let workspace =
        Arc::new(Workspace::new(vec![Root::new(&folder)], documents, Arc::new(DiskEditor), desk.clone()));
    let published = Arc::new(Published::default());
    let board = Board::new(published.clone(), Attention::new());
    desk.attach(&Paths::below(&directory.join("home")), &workspace, published.clone(), board.clone());
    Fixture { desk, workspace, published, board, folder }
}

impl Fixture {
    async fn agent_writes(&self, name: &str, text: &str) {
        let location = self.workspace.resolve(&self.folder, name).unwrap();
        let by = Attribution {
            session: "s".into(),
            turn: "t".into(),
            agent: AgentId::main(),
            tool_call_id: "c".into(),
            title: "write".into(),
        };
        let after = Text::from_str(text);
        let plan = |_: &Text| Ok(after.clone());
        let never = CancellationToken::new();
        self.workspace.edit(&location, Author::Agent(by), "write", &plan, &never).await.unwrap();
        self.desk.settled().await;
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    fn hunks(&self) -> u32 {
        self.published.0.lock().unwrap().last().map_or(0, |state| state.summary.hunks)
    }

    async fn undo_all(&self, reason: Option<&str>) -> ReviewAnswer {
        let arguments = ReviewArguments {
            all: Some(true),
            reason: reason.map(str::to_owned),
            ..ReviewArguments::default()
        };
        self.desk.undo(arguments).await.unwrap()
    }
}

#[tokio::test]
async fn an_agents_change_is_published_and_can_be_undone_and_the_undo_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = desk(directory.path());
    std::fs::write(fixture.folder.join("a"), "one\ntwo\n").unwrap();
    fixture.agent_writes("a", "one\n2\n").await;
    assert_eq!((fixture.hunks(), fixture.board.status().review.hunks), (1, 1));
    let undone = fixture.undo_all(Some("no digits")).await;
    fixture.desk.settled().await;
    assert_eq!((undone.applied.len(), undone.conflicts.len()), (1, 0));
    assert_eq!((fixture.read("a").as_str(), fixture.hunks()), ("one\ntwo\n", 0));
    let feedback = fixture.desk.take_feedback(&"s".into()).await.unwrap();
    assert!(
        feedback.starts_with("<review>\nThe user undid a change of yours, saying: no digits;"),
        "{feedback}"
    );
    assert_eq!(fixture.desk.take_feedback(&"s".into()).await, None);
    fixture.desk.revert().await.unwrap();
    fixture.desk.settled().await;
    assert_eq!((fixture.read("a").as_str(), fixture.hunks()), ("one\n2\n", 1));
}

#[tokio::test]
async fn the_review_returns_after_a_restart_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let first = desk(directory.path());
    std::fs::write(first.folder.join("a"), "one\n").unwrap();
    first.agent_writes("a", "1\n").await;
    drop(first);
    let second = desk(directory.path());
    let listed = second.desk.list(Default::default()).await.unwrap();
    assert_eq!(listed.summary.hunks, 1);
    second.desk.settled().await;
    assert_eq!((second.hunks(), second.read("a").as_str()), (1, "1\n"));
    let uri = DocumentUri::from_path(&second.folder.join("a"));
    assert_eq!(second.desk.baseline(&uri).await.unwrap(), Some(Text::from_str("one\n")));
}

#[tokio::test]
async fn lines_of_a_stale_version_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = desk(directory.path());
    let uri = DocumentUri::from_path(&fixture.folder.join("a"));
    fixture.workspace.documents().open(uri.clone(), "text", 4, "one\n");
    let arguments = ReviewArguments {
        uri: Some(uri.as_str().to_owned()),
        lines: Some((0, 1)),
        version: Some(3),
        ..ReviewArguments::default()
    };
    let refused = fixture.desk.keep(arguments).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    let nothing = fixture.desk.keep(ReviewArguments::default()).await.unwrap_err();
    assert_eq!(nothing.kind, ErrorKind::InvalidRequest);
}

#[test]
fn typing_that_waits_is_merged_per_file() {
    let typed = |uri: &str, before: &str, after: &str| {
        Item::Changed(Change {
            uri: DocumentUri::parse(uri),
            version: None,
            before: Text::from_str(before),
            after: Text::from_str(after),
            existed: true,
            exists: true,
            author: Author::User,
        })
    };
    let mut items = VecDeque::new();
    for item in [
        typed("file:///a", "", "x"),
        typed("file:///b", "", "y"),
        typed("file:///a", "x", "xy"),
        Item::Closed { uri: DocumentUri::parse("file:///a") },
        typed("file:///a", "xy", "z"),
    ] {
        if let Some(item) = merge(&mut items, item) {
            items.push_back(item);
        }
    }
    let texts: Vec<String> = items
        .iter()
        .filter_map(|item| match item {
            Item::Changed(change) => Some(change.after.to_string()),
            Item::Opened { .. } | Item::Closed { .. } | Item::Command(_) => None,
        })
        .collect();
    assert_eq!(texts, ["xy", "y", "z"]);
}
