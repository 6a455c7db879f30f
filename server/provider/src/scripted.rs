//! `scripted/NAME`: a model that plays a script file instead of thinking.
//!
//! It goes through the same trait as every other model, so tests and demonstrations exercise the whole pipeline without
//! network, key or chance. The script is read again at every call; `script` has its format. `scripted/demo` is built in.

mod facts;
mod play;
mod script;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kit_protocol::{ErrorKind, ModelId, ModelInfo};
use tokio_util::sync::CancellationToken;

use self::play::{Beat, Position};
use self::script::Script;
use crate::catalogue::nearest;
use crate::error::ModelError;
use crate::model::{Model, ModelEvent, ModelStream, Request};

/// The provider part of the ids of scripted models.
pub(crate) const PROVIDER: &str = "scripted";

const DEMO: &str = include_str!("../scripts/demo.jsonl");
/// How long a gate stays closed before the attempt fails; a test that hangs should say where.
const LONGEST_GATE: Duration = Duration::from_secs(30);
const GATE_INTERVAL: Duration = Duration::from_millis(5);
/// The script that is built in.
const DEMO_NAME: &str = "demo";
const CONTEXT_WINDOW: u64 = 200_000;
const MAX_OUTPUT: u64 = 32_000;

/// A model that plays a script.
#[derive(Debug)]
pub(crate) struct Scripted {
    info: ModelInfo,
    source: Source,
    /// Attempts so far per conversation and call, because a retry sends the same request again.
    attempts: Mutex<HashMap<(Option<String>, usize), u32>>,
}

/// Where a script comes from.
#[derive(Clone, Debug)]
enum Source {
    BuiltIn(&'static str),
    File(PathBuf),
}

/// The names of all scripts.
fn scripts(folders: &[PathBuf]) -> Vec<String> {
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let names = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    names.chain([DEMO_NAME.to_owned()]).collect()
}

impl Scripted {
    /// Finds the script: in the folders, first one first, else among the built-in ones.
    pub(crate) fn find(id: &ModelId, folders: &[PathBuf]) -> Result<Self, ModelError> {
        let file = format!("{}.jsonl", id.name());
        let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.join(&file)).collect();
        let plain = id
            .name()
            .chars()
            .all(|character| character.is_alphanumeric() || matches!(character, '-' | '_' | '.'));
        let found = paths.iter().find(|path| plain && path.is_file());
        let source = match found {
            Some(path) => Source::File(path.clone()),
            None if id.name() == DEMO_NAME => Source::BuiltIn(DEMO),
            None => {
                let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                let near = nearest(id.name(), scripts(folders));
                let near = near.iter().map(|name| format!("{PROVIDER}/{name}")).collect::<Vec<_>>();
                let hint = match near.as_slice() {
                    [] => String::new(),
                    near => format!("did you mean {}, or ", near.join(" or ")),
                };
                let places = places.join(" or ");
                let message = format!("there is no script for {id}; {hint}write it to {places}");
                return Err(ModelError::new(ErrorKind::NotFound, message));
            }
        };
        let options = source.load(id)?.options;
        let info = ModelInfo {
            id: id.clone(),
            provider: PROVIDER.to_owned(),
            name: options.name.unwrap_or_else(|| format!("Script {}", id.name())),
            context_window: options.context_window.unwrap_or(CONTEXT_WINDOW),
            max_output: options.max_output.unwrap_or(MAX_OUTPUT),
            reasoning: true,
            price: options.price,
            note: None,
        };
        Ok(Self { info, source, attempts: Mutex::default() })
    }

    /// The names of all scripts in the folders and of the built-in ones, sorted.
    pub(crate) fn names(folders: &[PathBuf]) -> Vec<String> {
        let files = folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
        let names = files.filter_map(|file| {
            let path = file.path();
            let is_script = path.extension().is_some_and(|extension| extension == "jsonl");
            path.file_stem().filter(|_| is_script)?.to_str().map(str::to_owned)
        });
        let mut names: Vec<String> = names.chain(["demo".to_owned()]).collect();
        names.sort();
        names.dedup();
        names
    }

    fn beats(&self, request: &Request) -> Result<VecDeque<Beat>, ModelError> {
        let script = self.source.load(&self.info.id)?;
        let position = Position::of(request, script.options.count);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry((request.cache_key.clone(), position.answers)).or_insert(0);
        let beats = play::beats(&script, &self.info.id, request, position, *attempt);
        *attempt = attempt.saturating_add(1);
        Ok(beats)
    }
}

impl Model for Scripted {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn stream(&self, request: Request, cancel: CancellationToken) -> ModelStream {
        let beats = self.beats(&request).unwrap_or_else(|error| VecDeque::from([Beat::Fail(error)]));
        let folder = self.source.folder();
        let playing =
            futures::stream::unfold((beats, cancel, folder), |(mut beats, cancel, folder)| async move {
                let result = tokio::select! {
                    biased;
                    () = cancel.cancelled() => Err(ModelError::cancelled()),
                    result = next_event(&mut beats, &folder) => result?,
                };
                if result.is_err() {
                    beats.clear();
                    return Some((result, (beats, CancellationToken::new(), folder)));
                }
                Some((result, (beats, cancel, folder)))
            });
        playing.boxed()
    }
}

impl Source {
    fn load(&self, id: &ModelId) -> Result<Script, ModelError> {
        let invalid = |reason: String| {
            ModelError::new(ErrorKind::InvalidRequest, format!("the script of {id} is invalid: {reason}"))
        };
        match self {
            Self::BuiltIn(text) => Script::parse(text).map_err(invalid),
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| invalid(format!("{} cannot be read: {error}", path.display())))?;
                Script::parse(&text).map_err(|reason| invalid(format!("{}, {reason}", path.display())))
            }
        }
    }

    /// The folder that relative gates are in.
    fn folder(&self) -> PathBuf {
        match self {
            Self::BuiltIn(_) => PathBuf::new(),
            Self::File(path) => path.parent().map(Path::to_path_buf).unwrap_or_default(),
        }
    }
}

/// Plays beats up to the next event or failure; `None` at the end.
async fn next_event(beats: &mut VecDeque<Beat>, folder: &Path) -> Option<Result<ModelEvent, ModelError>> {
    loop {
        match beats.pop_front()? {
            Beat::Emit(event) => return Some(Ok(event)),
            Beat::Fail(error) => return Some(Err(error)),
            Beat::Wait(delay) => tokio::time::sleep(delay).await,
            Beat::Gate(path) => {
                let path = folder.join(path);
                // Real time, so that a paused test clock cannot skip the wait for something outside the process.
                let deadline = Instant::now() + LONGEST_GATE;
                while !path.exists() {
                    if Instant::now() > deadline {
                        let message = format!(
                            "the gate {} did not open in {} s",
                            path.display(),
                            LONGEST_GATE.as_secs()
                        );
                        return Some(Err(ModelError::new(ErrorKind::Internal, message)));
                    }
                    tokio::time::sleep(GATE_INTERVAL).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kit_protocol::{
        CostKind, Message, Part, Price, Role, StopReason, TextPart, ToolCallId, ToolCallPart, ToolResultPart,
    };

    use super::*;
    use crate::error::Retry;
    use crate::model::{Completion, Parameters, ToolDefinition};
    use crate::usage::{Cost, TokenCounts};

    fn request(messages: Vec<Message>) -> Request {
        let tools = ["read", "edit", "ls"].map(|name| ToolDefinition {
            name: name.into(),
            description: String::new(),
            input_schema: serde_json::json!({"type": "object"}),
        });
        Request {
            system: "system".into(),
            messages: messages.into(),
            tools: Arc::new(tools),
            parameters: Parameters::default(),
            cache_key: Some("session".into()),
        }
    }

    fn user(text: &str) -> Message {
        Message::text(Role::User, text)
    }

    struct Fixture {
        folder: tempfile::TempDir,
        model: Scripted,
    }

    fn fixture(script: &str) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("test.jsonl"), script).unwrap();
        let model =
            Scripted::find(&"scripted/test".parse().unwrap(), &[folder.path().to_path_buf()]).unwrap();
        Fixture { folder, model }
    }

    async fn play(model: &Scripted, messages: Vec<Message>) -> Vec<Result<ModelEvent, ModelError>> {
        model.stream(request(messages), CancellationToken::new()).collect().await
    }

    async fn answer(model: &Scripted, messages: Vec<Message>) -> Completion {
        match play(model, messages).await.pop() {
            Some(Ok(ModelEvent::Finished(completion))) => completion,
            other => panic!("no answer but {other:?}"),
        }
    }

    #[tokio::test]
    async fn plays_chunks_calls_and_usage_in_order() {
        let fixture = fixture(
            r#"{"script": {"price": {"input": 2000000, "output": 1000000}}}
[{"text": ["Hel", "lo"]}, {"tool": {"name": "read", "input": {"path": "a"}}}, {"tool": {"name": "ls", "id": "own"}}, {"usage": {"input": 10, "output": 5}}]"#,
        );
        let first = ToolCallId::from("call_1_1");
        let second = ToolCallId::from("own");
        let tokens = TokenCounts { input: 10, output: 5, ..TokenCounts::default() };
        let call = |id: &ToolCallId, name: &str, input: &str| {
            Part::ToolCall(ToolCallPart {
                id: id.clone(),
                name: name.into(),
                input: input.into(),
                finished: true,
            })
        };
        let completion = Completion {
            message: Message {
                role: Role::Assistant,
                parts: vec![
                    Part::Text(TextPart { text: "Hello".into() }),
                    call(&first, "read", r#"{"path":"a"}"#),
                    call(&second, "ls", "{}"),
                ],
            },
            stop: StopReason::ToolUse,
            finish_reason: Some("tool_use".into()),
            tokens,
            cost: Cost { micros: Some(25), kind: CostKind::Priced },
            model: "scripted/test".parse().unwrap(),
            request_id: None,
        };
        let expected = [
            ModelEvent::Connected { request_id: None },
            ModelEvent::TextDelta("Hel".into()),
            ModelEvent::TextDelta("lo".into()),
            ModelEvent::ToolCallStart { id: first.clone(), name: "read".into() },
            ModelEvent::ToolCallDelta { id: first.clone(), delta: r#"{"path":"a"}"#.into() },
            ModelEvent::ToolCallEnd { id: first },
            ModelEvent::ToolCallStart { id: second.clone(), name: "ls".into() },
            ModelEvent::ToolCallDelta { id: second.clone(), delta: "{}".into() },
            ModelEvent::ToolCallEnd { id: second },
            ModelEvent::Usage(tokens),
            ModelEvent::Finished(completion),
        ];
        assert_eq!(play(&fixture.model, vec![user("hi")]).await, expected.map(Ok));
    }

    #[tokio::test]
    async fn the_step_follows_from_the_answers_so_far() {
        let fixture = fixture("[{\"text\": \"one\"}]\n[{\"text\": \"two\"}]");
        let answered = || Message::text(Role::Assistant, "x");
        let text = async |messages| answer(&fixture.model, messages).await.message.joined_text();
        assert_eq!(text(vec![user("a")]).await, "one");
        assert_eq!(text(vec![user("a"), answered(), user("b")]).await, "two");
        assert_eq!(
            text(vec![user("a"), answered(), user("b"), answered()]).await,
            "The script scripted/test has no more steps."
        );
    }

    #[tokio::test]
    async fn counting_can_start_again_and_the_last_step_repeat() {
        let fixture = fixture(
            "{\"script\": {\"count\": \"prompt\", \"atEnd\": \"last\"}}\n[{\"text\": \"one\"}]\n[{\"text\": \"two\"}]",
        );
        let answered = || Message::text(Role::Assistant, "x");
        let text = async |messages| answer(&fixture.model, messages).await.message.joined_text();
        assert_eq!(text(vec![user("a"), answered(), user("b")]).await, "one");
        assert_eq!(text(vec![user("a"), answered(), answered(), answered()]).await, "two");
    }

    #[tokio::test]
    async fn a_failing_attempt_recovers_after_its_times() {
        let fixture = fixture(
            r#"[{"error": {"kind": "rate_limit", "status": 429, "message": "slow down", "retryAfterMs": 20, "times": 1}}, {"text": "par"}, {"cut": {"times": 2}}, {"text": "tial"}]"#,
        );
        let last = async || play(&fixture.model, vec![user("a")]).await.pop().unwrap();
        let limited = ModelError {
            kind: ErrorKind::RateLimit,
            message: "slow down".into(),
            retry: Retry::After(Duration::from_millis(20)),
            started: false,
            status: Some(429),
            request_id: None,
        };
        assert_eq!(last().await, Err(limited));
        let cut = ModelError::unavailable("the answer of scripted/test ended before it was complete");
        assert_eq!(last().await, Err(ModelError { started: true, ..cut }));
        let Ok(ModelEvent::Finished(completion)) = last().await else { panic!("no answer") };
        assert_eq!(completion.message.joined_text(), "partial");
    }

    #[tokio::test]
    async fn a_truncated_call_is_not_finished() {
        let fixture = fixture(r#"[{"tool": {"name": "edit", "input": {"path": "a"}, "truncated": true}}]"#);
        let completion = answer(&fixture.model, vec![user("a")]).await;
        let calls: Vec<_> =
            completion.message.tool_calls().map(|call| (call.input.as_str(), call.finished)).collect();
        assert_eq!((calls, completion.stop), (vec![(r#"{"path":"a""#, false)], StopReason::MaxTokens));
    }

    #[tokio::test]
    async fn a_gate_opens_when_its_file_appears() {
        let fixture = fixture(r#"[{"text": "before"}, {"gate": "go"}, {"text": "after"}]"#);
        let mut stream = fixture.model.stream(request(vec![user("a")]), CancellationToken::new());
        stream.next().await;
        assert_eq!(stream.next().await, Some(Ok(ModelEvent::TextDelta("before".into()))));
        assert!(futures::poll!(stream.next()).is_pending());
        std::fs::write(fixture.folder.path().join("go"), "").unwrap();
        assert_eq!(stream.next().await, Some(Ok(ModelEvent::TextDelta("after".into()))));
    }

    #[tokio::test(start_paused = true)]
    async fn pace_and_delays_wait() {
        let fixture =
            fixture("{\"script\": {\"everyMs\": 7}}\n[{\"text\": \"a b \\nc\"}, {\"delayMs\": 100}]");
        let start = tokio::time::Instant::now();
        let events = play(&fixture.model, vec![user("a")]).await;
        let words: Vec<_> = events
            .iter()
            .filter_map(
                |event| if let Ok(ModelEvent::TextDelta(text)) = event { Some(text.as_str()) } else { None },
            )
            .collect();
        assert_eq!((words, start.elapsed()), (vec!["a ", "b ", "\n", "c"], Duration::from_millis(128)));
    }

    #[tokio::test]
    async fn cancelling_ends_the_stream() {
        let fixture = fixture(r#"[{"gate": "never"}]"#);
        let cancel = CancellationToken::new();
        let mut stream = fixture.model.stream(request(vec![user("a")]), cancel.clone());
        assert!(matches!(stream.next().await, Some(Ok(ModelEvent::Connected { .. }))));
        cancel.cancel();
        assert_eq!(stream.next().await, Some(Err(ModelError::cancelled())));
        assert_eq!(stream.next().await, None);
    }

    #[tokio::test]
    async fn without_price_a_script_is_free_and_usage_is_estimated() {
        let fixture = fixture(r#"[{"text": "12345678"}]"#);
        let completion = answer(&fixture.model, vec![user("ab")]).await;
        assert_eq!(completion.tokens, TokenCounts { input: 2, output: 2, ..TokenCounts::default() });
        assert_eq!(completion.cost, Cost { micros: Some(0), kind: CostKind::Priced });
    }

    #[test]
    fn a_missing_script_and_a_wrong_line_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_path_buf()];
        let find =
            |name: &str| Scripted::find(&format!("scripted/{name}").parse().unwrap(), &folders).unwrap_err();
        let path = folder.path().join("x.jsonl");
        assert_eq!(
            find("x").message,
            format!("there is no script for scripted/x; write it to {}", path.display())
        );
        assert_eq!(find("../x").kind, ErrorKind::NotFound);
        let near = find("dmo").message;
        assert!(near.contains("; did you mean scripted/demo, or write it to "), "{near}");
        std::fs::write(&path, "[]\n[{\"txt\": 1}]").unwrap();
        let start =
            format!("the script of scripted/x is invalid: {}, line 2: unknown variant `txt`", path.display());
        assert!(find("x").message.starts_with(&start), "{}", find("x").message);
    }

    /// Plays the demo with tools that answer as given until it makes no call any more; returns its calls.
    async fn demo(
        prompt: &str,
        tool: impl Fn(&str) -> Option<String>,
    ) -> (Vec<(String, serde_json::Value)>, String) {
        let model = Scripted::find(&"scripted/demo".parse().unwrap(), &[]).unwrap();
        let mut messages = vec![user(prompt)];
        let mut calls = Vec::new();
        loop {
            let completion = answer(&model, messages.clone()).await;
            let mut results = Vec::new();
            for call in completion.message.tool_calls() {
                calls.push((call.name.clone(), serde_json::from_str(&call.input).unwrap()));
                let result = tool(&call.name);
                results.push(Part::ToolResult(ToolResultPart {
                    tool_call_id: call.id.clone(),
                    name: call.name.clone(),
                    is_error: result.is_none(),
                    content: result.unwrap_or_else(|| "refused".into()),
                }));
            }
            if results.is_empty() {
                return (calls, completion.message.joined_text());
            }
            messages.push(completion.message);
            messages.push(Message { role: Role::Tool, parts: results });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_demo_reads_and_edits_the_file_of_the_prompt() {
        let tool = |name: &str| match name {
            "read" => Some("1: fn main() {\n2:     greet();\n3: }\n4: \n5: fn greet() {\n6: }\n".to_owned()),
            "edit" => Some("Applied 2 edits".to_owned()),
            _ => None,
        };
        let (calls, end) = demo("tidy src/main.rs", tool).await;
        let names: Vec<&str> = calls.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["read", "edit"]);
        assert_eq!(calls[0].1, serde_json::json!({"path": "src/main.rs"}));
        let edits = calls[1].1["edits"].as_array().unwrap();
        assert_eq!(calls[1].1["path"], "src/main.rs");
        let starts: Vec<&str> = edits.iter().map(|edit| edit["old_text"].as_str().unwrap()).collect();
        assert_eq!(starts, ["fn main() {", "fn greet() {"]);
        for edit in edits {
            let start = format!("{}\n// ", edit["old_text"].as_str().unwrap());
            assert!(edit["new_text"].as_str().unwrap().starts_with(&start), "{edit}");
        }
        assert!(end.contains("src/main.rs"), "{end}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_demo_looks_for_a_file_when_the_prompt_names_none() {
        let tool = |name: &str| match name {
            "ls" => Some("src/\nnotes.txt\n".to_owned()),
            "read" => Some("1: only line\n".to_owned()),
            "edit" => Some("Applied edit".to_owned()),
            _ => None,
        };
        let (calls, _) = demo("hello", tool).await;
        let names: Vec<&str> = calls.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ls", "read", "edit"]);
        assert_eq!(calls[2].1["edits"].as_array().map(Vec::len), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_demo_ends_when_nothing_can_be_edited() {
        let (calls, _) = demo("hello", |name| (name == "ls").then(|| "(empty directory)".to_owned())).await;
        assert_eq!(calls.len(), 1);
        let read_only = |name: &str| (name == "read").then(|| "1: text of a file\n".to_owned());
        let (calls, end) = demo("a.md", read_only).await;
        assert_eq!(calls.len(), 2);
        assert!(end.contains("did not go through"), "{end}");
    }

    #[test]
    fn lists_scripts_and_the_demo() {
        let fixture = fixture("[]");
        assert_eq!(Scripted::names(&[fixture.folder.path().to_path_buf()]), ["demo", "test"]);
        assert_eq!(fixture.model.info().price, None::<Price>);
    }
}
