use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit_protocol::{
    Event, EventBody, KitError, Mode, PromptAnswer, PromptArguments, ReviewState, SessionArguments,
    SessionId, Settings, Status, StopReason, TurnId,
};
use kit_provider::{Environment, Models, ProviderSettings};
use kit_session::{
    Attention, Contributions, CurrentSetup, Dependencies, Hooks, NoHooks, Projects, ReviewDesk, Sessions,
    Setup, Sink,
};
use kit_text::Encoding;
use kit_tools::{Policy, Registry, RuleLayer, ToolSettings};
use kit_workspace::{DiskEditor, Documents, Paths, Root, Workspace};
use serde_json::{Value, json};
use tokio::sync::watch;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Remembers what sessions tell.
pub(crate) struct Told {
    events: Mutex<Vec<Event>>,
    statuses: Mutex<Vec<Status>>,
    reviews: Mutex<Vec<ReviewState>>,
    count: watch::Sender<u64>,
}

impl Told {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn told(&self) {
        self.count.send_modify(|count| *count += 1);
    }
}

impl Sink for Told {
    fn event(&self, event: Event) {
        self.events.lock().unwrap().push(event);
        self.told();
    }

    fn status(&self, status: Status) {
        self.statuses.lock().unwrap().push(status);
        self.told();
    }

    fn review(&self, state: ReviewState) {
        self.reviews.lock().unwrap().push(state);
        self.told();
    }
}

/// Sessions over a temporary home and project.
pub(crate) struct Kit {
    pub(crate) directory: Arc<tempfile::TempDir>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) told: Arc<Told>,
}

impl Kit {
    /// A new home whose model plays the script.
    pub(crate) fn new(script: &[Value]) -> Self {
        Self::with_settings(script, Settings::default())
    }

    pub(crate) fn with_settings(script: &[Value], settings: Settings) -> Self {
        Self::with(script, settings, Arc::new(NoHooks))
    }

    /// The same with somebody who looks at what happens.
    pub(crate) fn with_hooks(script: &[Value], hooks: Arc<dyn Hooks>) -> Self {
        Self::with(script, Settings::default(), hooks)
    }

    fn with(script: &[Value], settings: Settings, hooks: Arc<dyn Hooks>) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        for folder in ["project", "scripts"] {
            std::fs::create_dir_all(directory.path().join(folder)).unwrap();
        }
        write_script(directory.path(), "test", script);
        Self::start(directory, settings, hooks)
    }

    /// The same home in what could be another process.
    pub(crate) fn restarted(&self) -> Self {
        self.restarted_with(Arc::new(NoHooks))
    }

    /// The same with somebody who looks at what happens.
    pub(crate) fn restarted_with(&self, hooks: Arc<dyn Hooks>) -> Self {
        Self::start(Arc::clone(&self.directory), Settings::default(), hooks)
    }

    fn start(directory: Arc<tempfile::TempDir>, settings: Settings, hooks: Arc<dyn Hooks>) -> Self {
        let settings = Settings {
            model: settings.model.or_else(|| Some("scripted/test".to_owned())),
            mode: settings.mode.or(Some(Mode::Auto)),
            ..settings
        };
        let paths = Paths::below(&directory.path().join("home"));
        let (documents, desk, attention) = (Arc::new(Documents::new()), ReviewDesk::new(), Attention::new());
        let workspace = Arc::new(Workspace::new(
            vec![Root::new(directory.path().join("project"))],
            Arc::clone(&documents),
            attention.watch(Arc::new(DiskEditor)),
            desk.clone(),
        ));
        let told = Arc::new(Told {
            events: Mutex::default(),
            statuses: Mutex::default(),
            reviews: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let rules: Vec<RuleLayer> = settings
            .permissions
            .iter()
            .map(|rules| RuleLayer { origin: "the test".to_owned(), project: None, rules: rules.clone() })
            .collect();
        let sessions = Sessions::new(Dependencies {
            workspace,
            documents: Arc::clone(&documents),
            tools: Arc::new(Registry::builtin()),
            projects: Projects::new(&paths, &settings),
            policy: Arc::new(Policy::new(&paths, &rules)),
            paths,
            setup: CurrentSetup::from(setup(&directory, settings)),
            sink: told.clone(),
            desk,
            attention,
            contributions: Contributions::new(),
            hooks,
        });
        Self { directory, sessions, documents, told }
    }

    /// Lets other settings hold.
    pub(crate) fn apply(&self, settings: Settings) {
        self.sessions.set_settings(setup(&self.directory, settings));
    }

    pub(crate) fn script(&self, name: &str, script: &[Value]) {
        write_script(self.directory.path(), name, script);
    }

    /// Opens a gate of a script.
    pub(crate) fn open_gate(&self, name: &str) {
        std::fs::write(self.directory.path().join("scripts").join(name), "").unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("project").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) async fn ask(&self, arguments: PromptArguments) -> Result<PromptAnswer, KitError> {
        self.sessions.prompt(arguments, Encoding::Utf16, TurnId::random()).await
    }

    pub(crate) async fn say(&self, text: &str) -> PromptAnswer {
        self.ask(prompt(text)).await.unwrap()
    }

    /// Sends a prompt and waits for the end of its turn.
    pub(crate) async fn turn(&self, text: &str) -> Turn {
        let answer = self.say(text).await;
        self.end_of(&answer.turn).await
    }

    /// The events of a turn, once it has ended.
    pub(crate) async fn end_of(&self, turn: &TurnId) -> Turn {
        let ended = |events: &[Event]| {
            events.iter().any(|event| {
                event.turn.as_ref() == Some(turn) && matches!(event.body, EventBody::TurnEnd { .. })
            })
        };
        self.until(|told| ended(&told.events.lock().unwrap())).await;
        let events = self.events();
        Turn { events: events.into_iter().filter(|event| event.turn.as_ref() == Some(turn)).collect() }
    }

    /// Waits for an event of a type.
    pub(crate) async fn event(&self, kind: &str) -> Value {
        let find = |told: &Told| {
            let events = told.events.lock().unwrap();
            events
                .iter()
                .map(|event| serde_json::to_value(event).unwrap())
                .find(|event| event["type"] == kind)
        };
        self.until(|told| find(told).is_some()).await;
        find(&self.told).unwrap()
    }

    pub(crate) async fn until(&self, condition: impl Fn(&Told) -> bool) {
        let mut count = self.told.count.subscribe();
        let holds = count.wait_for(|_| condition(&self.told));
        // The guard is of real time, also where the clock of the runtime is paused.
        let holds = tokio::time::timeout(PATIENCE * 100, holds).await;
        assert!(holds.is_ok(), "waited in vain; told were {:#?}", self.events());
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.told.events.lock().unwrap().clone()
    }

    pub(crate) fn statuses(&self) -> Vec<Status> {
        self.told.statuses.lock().unwrap().clone()
    }

    /// The session's file.
    pub(crate) async fn file(&self, session: &SessionId) -> PathBuf {
        let answer = self.sessions.open(session_arguments(session)).await.unwrap();
        PathBuf::from(answer.path.unwrap())
    }

    /// `role: text` of the messages in a session's file, tool results as `tool: <content>`.
    pub(crate) async fn messages(&self, session: &SessionId) -> Vec<String> {
        messages_in(&self.file(session).await)
    }
}

pub(crate) fn messages_in(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["type"] == "message")
        .map(|line| {
            let parts = line["parts"].as_array().unwrap();
            let texts = parts.iter().filter_map(|part| match part["type"].as_str().unwrap() {
                "text" => part["data"]["text"].as_str().map(str::to_owned),
                "tool_result" => part["data"]["content"].as_str().map(str::to_owned),
                "tool_call" => Some(format!("<{}>", part["data"]["name"].as_str().unwrap())),
                _ => None,
            });
            format!("{}: {}", line["role"].as_str().unwrap(), texts.collect::<String>())
        })
        .collect()
}

fn setup(directory: &tempfile::TempDir, settings: Settings) -> Setup {
    let scripts = directory.path().join("scripts");
    let environment = Environment::from_iter([("KIT_SCRIPTS", scripts.to_str().unwrap())]);
    Setup {
        models: Arc::new(Models::new(&ProviderSettings::from(&settings), environment)),
        tool_settings: Arc::new(ToolSettings::new(&settings, None)),
        settings,
    }
}

fn write_script(directory: &Path, name: &str, script: &[Value]) {
    let lines: Vec<String> = script.iter().map(Value::to_string).collect();
    std::fs::write(directory.join(format!("scripts/{name}.jsonl")), lines.join("\n")).unwrap();
}

/// The options of a script whose calls cost one micro-USD per input token and two per output token.
pub(crate) fn priced() -> Value {
    json!({ "script": { "price": { "input": 1_000_000, "output": 2_000_000 }, "contextWindow": 1000 } })
}

pub(crate) fn prompt(text: &str) -> PromptArguments {
    PromptArguments {
        text: text.to_owned(),
        session: None,
        context: Vec::new(),
        attachments: Vec::new(),
        mode: None,
        model: None,
        thinking: None,
        delivery: None,
    }
}

pub(crate) fn session_arguments(session: &SessionId) -> SessionArguments {
    SessionArguments { session: Some(session.clone()), ..SessionArguments::default() }
}

/// All events of one turn.
pub(crate) struct Turn {
    pub(crate) events: Vec<Event>,
}

impl Turn {
    pub(crate) fn types(&self) -> Vec<String> {
        self.events.iter().map(|event| kind(&event.body)).collect()
    }

    pub(crate) fn values(&self, wanted: &str) -> Vec<Value> {
        let values = self.events.iter().map(|event| serde_json::to_value(event).unwrap());
        values.filter(|event| event["type"] == wanted).collect()
    }

    pub(crate) fn stop(&self) -> StopReason {
        let EventBody::TurnEnd { stop_reason, .. } = &self.end().body else { panic!("{:?}", self.types()) };
        *stop_reason
    }

    pub(crate) fn response(&self) -> String {
        let EventBody::TurnEnd { response, .. } = &self.end().body else { panic!("{:?}", self.types()) };
        response.clone()
    }

    fn end(&self) -> &Event {
        self.events.last().unwrap()
    }

    /// `(content, is error)` of the tool results in order.
    pub(crate) fn results(&self) -> Vec<(String, bool)> {
        results(self.values("tool_result").iter())
    }

    /// The same without those of subagents.
    pub(crate) fn own_results(&self) -> Vec<(String, bool)> {
        results(self.values("tool_result").iter().filter(|event| event.get("agent").is_none()))
    }
}

fn results<'a>(events: impl Iterator<Item = &'a Value>) -> Vec<(String, bool)> {
    events.map(|event| (event["result"].as_str().unwrap().to_owned(), event["isError"] == true)).collect()
}

pub(crate) fn kind(body: &EventBody) -> String {
    serde_json::to_value(body).unwrap()["type"].as_str().unwrap().to_owned()
}

/// A call of a tool in a script.
pub(crate) fn call(name: &str, input: Value) -> Value {
    json!({ "tool": { "name": name, "input": input } })
}
