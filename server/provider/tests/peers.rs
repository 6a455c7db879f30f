//! Every wire against peers that others wrote, and the table of what each of them showed.
//!
//! The peers are aimock (a mock of many providers' APIs), llama.cpp (a real inference server, with a random model) and
//! the test kit's model server, whose every chunk can be held back. A cell of the table is there because its check
//! passed in this run; a cell that is there and was not shown, or the other way round, fails the test.
//! `KIT_WRITE_TABLE=1 cargo test -p kit-provider --test peers` writes the table into the README.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking and says loudly what it skips"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use kit_protocol::{
    ErrorKind, ImagePart, Message, Part, ReasoningPart, Role, StopReason, TextPart, ToolResultPart,
};
use kit_provider::{
    Completion, Environment, Model, ModelError, ModelEvent, Models, Parameters, ProviderOverride,
    ProviderSettings, Request, Retry, ToolDefinition,
};
use kit_testkit::cache::{Installed, install};
use kit_testkit::{Aimock, Gate, Habit, LLAMA_CONTEXT, Llama, ModelServer, Reply, TokenCount};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// What can be shown, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Feature {
    Text,
    Reasoning,
    Tools,
    ParallelTools,
    Images,
    Pdfs,
    Usage,
    Cache,
    Overflow,
    Cut,
    Retry,
    Cancel,
}

const FEATURES: [(Feature, &str); 12] = [
    (Feature::Text, "text"),
    (Feature::Reasoning, "reasoning"),
    (Feature::Tools, "tools"),
    (Feature::ParallelTools, "parallel tools"),
    (Feature::Images, "images"),
    (Feature::Pdfs, "PDFs"),
    (Feature::Usage, "usage"),
    (Feature::Cache, "cache"),
    (Feature::Overflow, "overflow"),
    (Feature::Cut, "cut"),
    (Feature::Retry, "retry"),
    (Feature::Cancel, "cancel"),
];

/// What was shown: by wire and feature, the peers.
type Shown = BTreeMap<(&'static str, Feature), Vec<&'static str>>;

/// A model behind one wire of a peer.
struct Subject {
    wire: &'static str,
    peer: &'static str,
    model: Arc<dyn Model>,
}

/// A picture of one point.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A PDF as far as a server that does not look into it can tell.
const PDF: &str = "JVBERi0xLjQKJSVFT0YK";

impl Subject {
    fn new(wire: &'static str, peer: &'static str, id: &str, variables: &[(&str, String)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let environment = Environment::from_iter(variables);
        let settings =
            ProviderSettings { borrowed_identity: vec!["copilot".to_owned()], ..ProviderSettings::default() };
        let models = Models::new(&settings, environment);
        Self { wire, peer, model: models.resolve(&id.parse().unwrap()).unwrap() }
    }

    /// A wire of llama.cpp, which speaks three of them at one address.
    fn of_llama(wire: &'static str, name: &str, llama: &Llama) -> Self {
        let changed = ProviderOverride {
            wire: Some(name.to_owned()),
            base_url: Some(format!("{}/v1", llama.url())),
            ..ProviderOverride::default()
        };
        let providers = [("llamacpp".to_owned(), changed)].into();
        let settings = ProviderSettings { providers, ..ProviderSettings::default() };
        let models = Models::new(&settings, Environment::default());
        Self { wire, peer: "llama.cpp", model: models.resolve(&"llamacpp/tiny".parse().unwrap()).unwrap() }
    }

    async fn ask(&self, request: Request) -> Result<Completion, ModelError> {
        match self.events(request, CancellationToken::new()).await.pop() {
            Some(Ok(ModelEvent::Finished(completion))) => Ok(completion),
            Some(Err(error)) => Err(error),
            other => panic!("{}/{}: {other:?} is no end", self.wire, self.peer),
        }
    }

    async fn events(
        &self,
        request: Request,
        cancel: CancellationToken,
    ) -> Vec<Result<ModelEvent, ModelError>> {
        self.model.stream(request, cancel).collect().await
    }

    fn show(&self, shown: &mut Shown, feature: Feature) {
        shown.entry((self.wire, feature)).or_default().push(self.peer);
    }
}

fn request(prompt: &str) -> Request {
    Request {
        system: "Be brief.".into(),
        messages: [Message::text(Role::User, prompt)].into(),
        tools: [].into(),
        parameters: Parameters { max_output_tokens: Some(200), ..Parameters::default() },
        cache_key: None,
    }
}

fn with_tool(prompt: &str) -> Request {
    let tool = ToolDefinition {
        name: "read".into(),
        description: "Reads a file.".into(),
        input_schema: json!({
            "type": "object",
            "properties": { "path": { "type": "string", "enum": ["a.txt"] } },
            "required": ["path"],
        }),
    };
    Request { tools: [tool].into(), ..request(prompt) }
}

fn showing(prompt: &str, data: &str, media_type: &str) -> Request {
    let text = Part::Text(TextPart { text: prompt.into() });
    let picture = Part::Image(ImagePart { data: data.into(), media_type: media_type.into() });
    Request { messages: [Message { role: Role::User, parts: vec![picture, text] }].into(), ..request("") }
}

fn calls(completion: &Completion) -> Vec<(String, Value, bool)> {
    let calls = completion.message.tool_calls();
    calls
        .map(|call| (call.name.clone(), serde_json::from_str(&call.input).unwrap_or_default(), call.finished))
        .collect()
}

/// The cells of aimock, which answers by the words of the user.
fn fixtures() -> Value {
    let read = |path: &str| json!({ "name": "read", "arguments": { "path": path } });
    let tokens =
        json!({ "prompt_tokens": 11, "completion_tokens": 5, "input_tokens": 11, "output_tokens": 5 });
    let fail = |status: u64, message: &str| json!({ "error": { "message": message, "type": "invalid_request_error" }, "status": status });
    let answer =
        |prompt: &str, response: Value| json!({ "match": { "userMessage": prompt }, "response": response });
    let slow = |mut fixture: Value| {
        fixture["latency"] = json!(20);
        fixture
    };
    let mut cut = slow(answer("break off", json!({ "content": "half of a longer answer than this" })));
    cut["truncateAfterChunks"] = json!(3);
    json!({ "fixtures": [
        answer("say hello", json!({ "content": "Hello from the mock.", "usage": tokens })),
        answer("think first", json!({ "content": "Thought.", "reasoning": "Let me think." })),
        answer("read one", json!({ "toolCalls": [read("a.txt")] })),
        answer("read two", json!({ "toolCalls": [read("a.txt"), read("b.txt")] })),
        answer("look at it", json!({ "content": "I see a point." })),
        answer("too much", fail(400, "prompt is too long: 9000 tokens > 8000 maximum")),
        answer("too often", fail(429, "slow down")),
        cut,
        slow(answer("take your time", json!({ "content": "one two three four five six seven eight nine ten ".repeat(20) }))),
    ] })
}

/// Checks what every provider of aimock does the same way.
async fn check_aimock(subject: &Subject, url: &str, shown: &mut Shown) {
    let who = format!("{} of {}", subject.wire, subject.peer);
    let answer = subject.ask(request("say hello")).await.unwrap_or_else(|error| panic!("{who}: {error}"));
    assert_eq!(
        (answer.message.joined_text().as_str(), answer.stop),
        ("Hello from the mock.", StopReason::EndTurn),
        "{who}"
    );
    subject.show(shown, Feature::Text);
    // The mock leaves the counts out on some wires; where it has them they are the ones of the fixture.
    let counted = (answer.tokens.total_input(), answer.tokens.output);
    if counted != (0, 0) {
        assert_eq!(counted, (11, 5), "{who}");
        subject.show(shown, Feature::Usage);
    }

    let thought = subject.ask(request("think first")).await.unwrap_or_else(|error| panic!("{who}: {error}"));
    let reasoning = thought.message.parts.iter().filter_map(|part| {
        if let Part::Reasoning(ReasoningPart { thinking, .. }) = part {
            Some(thinking.as_str())
        } else {
            None
        }
    });
    let reasoning: Vec<&str> = reasoning.filter(|thinking| !thinking.is_empty()).collect();
    assert_eq!(thought.message.joined_text(), "Thought.", "{who}");
    if reasoning == ["Let me think."] {
        subject.show(shown, Feature::Reasoning);
    }

    let path = |name: &str| ("read".to_owned(), json!({ "path": name }), true);
    for (prompt, paths, feature) in [
        ("read one", vec!["a.txt"], Feature::Tools),
        ("read two", vec!["a.txt", "b.txt"], Feature::ParallelTools),
    ] {
        let called = subject.ask(with_tool(prompt)).await.unwrap_or_else(|error| panic!("{who}: {error}"));
        assert_eq!(calls(&called), paths.into_iter().map(path).collect::<Vec<_>>(), "{who}");
        assert_eq!(called.stop, StopReason::ToolUse, "{who}");
        subject.show(shown, feature);
    }

    let saw = subject
        .ask(showing("look at it", PICTURE, "image/png"))
        .await
        .unwrap_or_else(|error| panic!("{who}: {error}"));
    assert_eq!(saw.message.joined_text(), "I see a point.", "{who}");
    subject.show(shown, Feature::Images);

    let overflow = subject.ask(request("too much")).await.expect_err(&who);
    assert_eq!(
        (overflow.kind, overflow.retry),
        (ErrorKind::ContextOverflow, Retry::Never),
        "{who}: {overflow}"
    );
    subject.show(shown, Feature::Overflow);
    let busy = subject.ask(request("too often")).await.expect_err(&who);
    assert_eq!(busy.kind, ErrorKind::RateLimit, "{who}: {busy}");
    assert_ne!(busy.retry, Retry::Never, "{who}: {busy}");
    subject.show(shown, Feature::Retry);
    let cut = subject.ask(request("break off")).await.expect_err(&who);
    assert_eq!((cut.kind, cut.retry), (ErrorKind::Unavailable, Retry::Backoff), "{who}: {cut}");
    subject.show(shown, Feature::Cut);

    check_cancel(subject, request("take your time"), shown).await;
    assert!(health(url), "{who}: the peer is gone");
}

/// Cancels at the first text.
async fn check_cancel(subject: &Subject, request: Request, shown: &mut Shown) {
    let cancel = CancellationToken::new();
    let mut events = subject.model.stream(request, cancel.clone());
    let mut last = None;
    while let Some(event) = events.next().await {
        if matches!(event, Ok(ModelEvent::TextDelta(_) | ModelEvent::ReasoningDelta(_))) {
            cancel.cancel();
        }
        last = Some(event);
    }
    let error = last.expect("an event").expect_err("the answer was cancelled");
    assert_eq!(error.kind, ErrorKind::Cancelled, "{}/{}: {error}", subject.wire, subject.peer);
    subject.show(shown, Feature::Cancel);
}

fn health(url: &str) -> bool {
    let address = url.trim_start_matches("http://");
    let mut answer = String::new();
    TcpStream::connect(address).is_ok_and(|mut stream| {
        let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).is_ok() && stream.read_to_string(&mut answer).is_ok()
    }) && answer.starts_with("HTTP/1.1 200")
}

/// Every wire of every provider that has one of its own, behind a peer that speaks all of them.
fn subjects(peer: &'static str, url: &str) -> Vec<Subject> {
    let at = |path: &str| format!("{url}{path}");
    let key = || "planted".to_owned();
    let new = |wire, id: &str, variables: &[(&str, String)]| Subject::new(wire, peer, id, variables);
    let openai = [("OPENAI_BASE_URL", at("/v1")), ("OPENAI_API_KEY", key())];
    let copilot = [("COPILOT_BASE_URL", at("/v1")), ("GITHUB_COPILOT_TOKEN", key())];
    let azure = |path: &str| [("AZURE_OPENAI_BASE_URL", at(path)), ("AZURE_API_KEY", key())];
    let vertex = [
        ("GOOGLE_VERTEX_BASE_URL", at("/v1/projects/p/locations/l/publishers/google")),
        ("GOOGLE_VERTEX_ACCESS_TOKEN", key()),
    ];
    let bedrock = ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", at(""));
    vec![
        new(
            "messages",
            "anthropic/claude-sonnet-4-5",
            &[("ANTHROPIC_BASE_URL", at("")), ("ANTHROPIC_API_KEY", key())],
        ),
        new("messages of GitHub Copilot", "copilot/claude-haiku-5.5", &copilot),
        new("messages on Vertex AI", "google-vertex/claude-sonnet-4-5", &vertex),
        new("chat-completions", "openai/gpt-4o", &openai),
        new("chat-completions of GitHub Copilot", "copilot/gpt-4.1", &copilot),
        new("chat-completions on Azure", "azure/gpt-4o", &azure("/openai/deployments/gpt-4o")),
        new("responses", "openai/gpt-5.4", &openai),
        new("responses of GitHub Copilot", "copilot/gpt-5.3-codex", &copilot),
        new("responses on Azure", "azure/gpt-5.4", &azure("/openai/v1")),
        new(
            "gemini",
            "google/gemini-3.8-flash",
            &[("GOOGLE_GEMINI_BASE_URL", at("/v1beta")), ("GEMINI_API_KEY", key())],
        ),
        new("gemini on Vertex AI", "google-vertex/gemini-3.8-flash", &vertex),
        new("ollama", "ollama/qwen3:8b", &[("OLLAMA_BASE_URL", at(""))]),
        // The mock knows no cache marks among tools, which models of Anthropic get.
        new(
            "bedrock, signed",
            "amazon-bedrock/us.amazon.nova-pro-v1:0",
            &[bedrock.clone(), ("AWS_ACCESS_KEY_ID", key()), ("AWS_SECRET_ACCESS_KEY", key())],
        ),
        new(
            "bedrock, with a key",
            "amazon-bedrock/amazon.nova-pro-v1:0",
            &[bedrock, ("AWS_BEARER_TOKEN_BEDROCK", key())],
        ),
    ]
}

/// What the mock does not serve.
const NOT_OF_AIMOCK: [&str; 2] = ["messages on Vertex AI", "responses on Azure"];

/// A real server: what it says means nothing, what it counts is true.
async fn check_llama(program: &Path, shown: &mut Shown) {
    let (talks, calls_tools) = (Llama::start(program, Habit::Talks), Llama::start(program, Habit::Calls));
    for (wire, name) in
        [("messages", "anthropic"), ("chat-completions", "openai-compat"), ("responses", "openai")]
    {
        let talking = Subject::of_llama(wire, name, &talks);
        let first = talking.ask(request("read the file, edit the code, run the test, write the text")).await;
        let first = first.unwrap_or_else(|error| panic!("{wire}: {error}"));
        assert!(!first.message.joined_text().is_empty(), "{wire}");
        talking.show(shown, Feature::Text);
        assert!(first.tokens.total_input() > 20 && first.tokens.output > 0, "{wire}: {:?}", first.tokens);
        talking.show(shown, Feature::Usage);
        let again =
            talking.ask(request("read the file, edit the code, run the test, write the text")).await.unwrap();
        assert_eq!(again.tokens.total_input(), first.tokens.total_input(), "{wire}");
        assert!(again.tokens.cache_read > 20, "{wire}: {:?}", again.tokens);
        talking.show(shown, Feature::Cache);

        let long = "code ".repeat(usize::try_from(LLAMA_CONTEXT).unwrap() * 2);
        let overflow = talking.ask(request(&long)).await.expect_err(wire);
        assert_eq!(
            (overflow.kind, overflow.retry),
            (ErrorKind::ContextOverflow, Retry::Never),
            "{wire}: {overflow}"
        );
        talking.show(shown, Feature::Overflow);
        let endless = Parameters { max_output_tokens: Some(4000), ..Parameters::default() };
        check_cancel(&talking, Request { parameters: endless, ..request("write the code") }, shown).await;

        let calling = Subject::of_llama(wire, name, &calls_tools);
        let called =
            calling.ask(with_tool("read the file")).await.unwrap_or_else(|error| panic!("{wire}: {error}"));
        let forced = ("read".to_owned(), json!({ "path": "a.txt" }), true);
        assert_eq!(calls(&called).first(), Some(&forced), "{wire}: {called:?}");
        calling.show(shown, Feature::Tools);
    }
}

/// Our own server, whose chunks wait for us. Ollama knows no cache and takes no PDFs.
async fn check_gated(shown: &mut Shown) {
    let server = ModelServer::start_on_every_wire().await;
    for subject in subjects("gated server", &server.url()) {
        check_gate(&subject, &server, shown).await;
    }
}

async fn check_gate(subject: &Subject, server: &ModelServer, shown: &mut Shown) {
    let who = format!("{} of {}", subject.wire, subject.peer);
    let is_ollama = subject.wire == "ollama";
    let tokens = TokenCount { input: 7, output: 5, cache_read: 100, cache_write: 0 };
    let spoken = Reply::new().reasoning("Let me think.").text("Hello.");
    let called = spoken.call("read", json!({ "path": "a.txt" })).call("read", json!({ "path": "b.txt" }));
    server.reply(called.tokens(tokens));
    let answer = subject.ask(with_tool("go")).await.unwrap_or_else(|error| panic!("{who}: {error}"));
    assert_eq!(answer.message.joined_text(), "Hello.", "{who}");
    subject.show(shown, Feature::Text);
    assert!(
        matches!(&answer.message.parts[0], Part::Reasoning(part) if part.thinking == "Let me think."),
        "{who}: {answer:?}"
    );
    subject.show(shown, Feature::Reasoning);
    let path = |name: &str| ("read".to_owned(), json!({ "path": name }), true);
    assert_eq!(calls(&answer), [path("a.txt"), path("b.txt")], "{who}");
    assert_eq!(answer.stop, StopReason::ToolUse, "{who}");
    subject.show(shown, Feature::Tools);
    subject.show(shown, Feature::ParallelTools);
    let counted = (answer.tokens.input, answer.tokens.cache_read, answer.tokens.output);
    assert_eq!(counted, if is_ollama { (107, 0, 5) } else { (7, 100, 5) }, "{who}");
    subject.show(shown, Feature::Usage);
    if !is_ollama {
        subject.show(shown, Feature::Cache);
    }
    // What the model said goes back with the results, in the form of its wire, and the server pairs the two.
    let results = answer.message.tool_calls().map(|call| {
        Part::ToolResult(ToolResultPart {
            tool_call_id: call.id.clone(),
            name: call.name.clone(),
            content: "text".into(),
            is_error: false,
        })
    });
    let results = Message { role: Role::User, parts: results.collect() };
    let asked = with_tool("go");
    let history: Vec<Message> =
        asked.messages.iter().cloned().chain([answer.message.clone(), results]).collect();
    server.reply(Reply::new().text("I see."));
    let next = Request { messages: history.into(), ..asked };
    subject.ask(next).await.unwrap_or_else(|error| panic!("{who}: {error}"));
    let told = server.requests().pop().unwrap();
    assert_eq!(told.results(), [("text", false), ("text", false)], "{who}");

    for (data, media_type, feature) in
        [(PICTURE, "image/png", Feature::Images), (PDF, "application/pdf", Feature::Pdfs)]
    {
        server.reply(Reply::new().text("I see a point."));
        subject.ask(showing("look", data, media_type)).await.unwrap_or_else(|error| panic!("{who}: {error}"));
        let arrived = server.requests().pop().unwrap().body.to_string().contains(data);
        assert!(arrived || (is_ollama && feature == Feature::Pdfs), "{who}: {media_type}");
        if arrived {
            subject.show(shown, feature);
        }
    }
    server.reply(Reply::context_overflow());
    let overflow = subject.ask(request("go")).await.expect_err(&who);
    assert_eq!(
        (overflow.kind, overflow.retry),
        (ErrorKind::ContextOverflow, Retry::Never),
        "{who}: {overflow}"
    );
    subject.show(shown, Feature::Overflow);
    server.reply(Reply::new().text("half").cut());
    let cut = subject.ask(request("go")).await.expect_err(&who);
    assert_eq!(
        (cut.kind, cut.retry, cut.started),
        (ErrorKind::Unavailable, Retry::Backoff, true),
        "{who}: {cut}"
    );
    server.reply(Reply::new().text("half").error("overloaded_error", "Overloaded"));
    let broken = subject.ask(request("go")).await.expect_err(&who);
    assert!(broken.started && broken.retry != Retry::Never, "{who}: {broken:?}");
    subject.show(shown, Feature::Cut);
    server.reply(Reply::status(429).header("retry-after", "7").body("slow down"));
    let busy = subject.ask(request("go")).await.expect_err(&who);
    assert_eq!(busy.retry, Retry::After(std::time::Duration::from_secs(7)), "{who}");
    subject.show(shown, Feature::Retry);
    let gate = Gate::new();
    server.reply(Reply::new().text("half").gate(&gate).text("never"));
    check_cancel(subject, request("go"), shown).await;
    server.dropped(server.requests().len() - 1).await;
}

fn table(shown: &Shown) -> String {
    let mut wires: Vec<&str> = shown.keys().map(|(wire, _)| *wire).collect();
    wires.dedup();
    let heads: Vec<&str> = FEATURES.iter().map(|(_, name)| *name).collect();
    let mut table = format!("| Wire | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for wire in wires {
        let cells = FEATURES.iter().map(|(feature, _)| {
            shown.get(&(wire, *feature)).map_or_else(|| "–".to_owned(), |peers| peers.join(", "))
        });
        let _never = writeln!(table, "| {wire} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    table
}

const BEGIN: &str = "<!-- Written by the test `peers`. -->\n";
const END: &str = "<!-- End of the table. -->\n";

#[tokio::test]
async fn every_wire_shows_its_features_against_peers_of_others() {
    let (aimock, llama) = (install("aimock"), install("llama"));
    let (Installed::At(aimock), Installed::At(llama)) = (aimock, llama) else {
        eprintln!("SKIPPED: the peers are installed on Debian alone");
        return;
    };
    let mut shown = Shown::new();
    let mock = Aimock::start(&aimock, &fixtures());
    for subject in subjects("aimock", mock.url()) {
        if NOT_OF_AIMOCK.contains(&subject.wire) {
            continue;
        }
        check_aimock(&subject, mock.url(), &mut shown).await;
    }
    check_llama(&llama, &mut shown).await;
    check_gated(&mut shown).await;
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table has its place in the README");
    let (stands, after) = rest.split_once(END).expect("the table has its end in the README");
    let table = table(&shown);
    if std::env::var_os("KIT_WRITE_TABLE").is_some() {
        std::fs::write(&readme, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(stands, table, "the README tells something else; KIT_WRITE_TABLE=1 writes it anew");
}
