//! The script file: JSON lines, one line for each model call.
//!
//! A line is an array of actions, played in order:
//!
//! | Action | Meaning |
//! |---|---|
//! | `{"text": "…"}`, `{"text": ["a", "b"]}` | answer text, as one delta or as several |
//! | `{"reasoning": "…"}` | visible reasoning, likewise |
//! | `{"tool": {"name": "read", "input": {…}, "id": "…"}}` | a tool call; `id` is made up when absent; `"truncated": true` cuts its arguments |
//! | `{"usage": {"input": 1, "output": 1, "cacheRead": 0, "cacheWrite": 0, "reasoning": 0}}` | reported tokens; without it they are estimated from the texts |
//! | `{"stop": "max_tokens"}` | the reason to stop; by default `tool_use` when there was a call, else `end_turn` |
//! | `{"error": {"kind": "rate_limit", "status": 429, "message": "…", "retryAfterMs": 50, "times": 1}}` | the attempt fails here |
//! | `{"cut": {"times": 1}}` | the stream ends here without its end |
//! | `{"gate": "path"}` | waits until the file exists, relative to the script's folder |
//! | `{"delayMs": 20}` | a pause |
//!
//! `times` counts the attempts of this call that fail; without it all of them do. Instead of an array a line may be a
//! branch, `{"needs": ["file"], "do": […], "else": …}`, where `else` is an array or a branch again (`facts` has the
//! names and the `{{templates}}` that texts and inputs may hold). An optional first line `{"script": {…}}` has options:
//! `name`, `contextWindow`, `maxOutput`, `price` (`input`, `output`, `cacheRead`, `cacheWrite` in micro-USD per million
//! tokens), `everyMs` (texts come word by word at this pace), `count` (`conversation`: the n-th call of the
//! conversation plays the n-th line; `prompt`: counting starts again with every prompt), `atEnd` (`say` that the script
//! is over, or repeat the `last` line). Blank lines and lines that begin with `#` are skipped.

use kit_protocol::{ErrorKind, Price, StopReason};
use serde::Deserialize;
use serde_json::Value;

/// A parsed script.
#[derive(Debug, PartialEq)]
pub(super) struct Script {
    pub(super) options: Options,
    pub(super) steps: Vec<Step>,
}

/// The first line.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Options {
    pub(super) name: Option<String>,
    pub(super) context_window: Option<u64>,
    pub(super) max_output: Option<u64>,
    pub(super) price: Option<Price>,
    pub(super) every_ms: Option<u64>,
    pub(super) count: Count,
    pub(super) at_end: AtEnd,
}

/// Which calls are counted to find the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Count {
    #[default]
    Conversation,
    Prompt,
}

/// What happens after the last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum AtEnd {
    #[default]
    Say,
    Last,
}

/// One model call.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Actions(Vec<Action>),
    Branch { needs: Vec<String>, then: Box<Step>, otherwise: Box<Step> },
}

/// One thing that the scripted model does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Action {
    Text(Chunks),
    Reasoning(Chunks),
    Tool(ToolAction),
    Usage(UsageAction),
    Stop(StopReason),
    Error(ErrorAction),
    Cut(CutAction),
    Gate(String),
    DelayMs(u64),
}

/// Text in one piece or in several.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Chunks {
    One(String),
    Several(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolAction {
    pub(super) name: String,
    #[serde(default)]
    pub(super) input: Value,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) truncated: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct UsageAction {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
    pub(super) reasoning: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ErrorAction {
    pub(super) kind: ErrorKind,
    #[serde(default)]
    pub(super) status: Option<u16>,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) retry_after_ms: Option<u64>,
    #[serde(default)]
    pub(super) times: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CutAction {
    #[serde(default)]
    pub(super) times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionsLine {
    script: Options,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BranchLine {
    needs: Vec<String>,
    r#do: Value,
    #[serde(default)]
    r#else: Value,
}

impl Script {
    /// Parses the file; the error names the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self { options: Options::default(), steps: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |error: serde_json::Error| format!("line {}: {error}", index + 1);
            let value: Value = serde_json::from_str(line).map_err(at)?;
            if value.get("script").is_some() {
                script.options = serde_json::from_value::<OptionsLine>(value).map_err(at)?.script;
            } else {
                script.steps.push(Step::from_value(value).map_err(at)?);
            }
        }
        Ok(script)
    }
}

impl Step {
    fn from_value(value: Value) -> Result<Self, serde_json::Error> {
        if value.is_array() {
            return serde_json::from_value(value).map(Self::Actions);
        }
        let branch: BranchLine = serde_json::from_value(value)?;
        let otherwise = if branch.r#else.is_null() {
            Self::Actions(Vec::new())
        } else {
            Self::from_value(branch.r#else)?
        };
        Ok(Self::Branch {
            needs: branch.needs,
            then: Box::new(Self::from_value(branch.r#do)?),
            otherwise: Box::new(otherwise),
        })
    }
}

impl Chunks {
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parses_every_action() {
        let script = Script::parse(
            r##"
# A comment.
{"script": {"name": "Example", "everyMs": 5, "count": "prompt", "atEnd": "last", "price": {"input": 1, "output": 2}}}
[{"reasoning": "hm"}, {"text": ["a", "b"]}, {"tool": {"name": "ls", "input": {"path": "."}}}, {"usage": {"input": 3, "cacheRead": 4}}]
{"needs": ["file"], "do": [{"stop": "refusal"}], "else": {"needs": [], "do": [{"cut": {}}]}}
[{"error": {"kind": "rate_limit", "status": 429, "retryAfterMs": 7, "times": 2}}, {"gate": "go"}, {"delayMs": 1}]
"##,
        );
        let expected = Script {
            options: Options {
                name: Some("Example".into()),
                every_ms: Some(5),
                count: Count::Prompt,
                at_end: AtEnd::Last,
                price: Some(Price { input: 1, output: 2, cache_read: None, cache_write: None }),
                ..Options::default()
            },
            steps: vec![
                Step::Actions(vec![
                    Action::Reasoning(Chunks::One("hm".into())),
                    Action::Text(Chunks::Several(vec!["a".into(), "b".into()])),
                    Action::Tool(ToolAction {
                        name: "ls".into(),
                        input: json!({"path": "."}),
                        id: None,
                        truncated: false,
                    }),
                    Action::Usage(UsageAction { input: 3, cache_read: 4, ..UsageAction::default() }),
                ]),
                Step::Branch {
                    needs: vec!["file".into()],
                    then: Box::new(Step::Actions(vec![Action::Stop(StopReason::Refusal)])),
                    otherwise: Box::new(Step::Branch {
                        needs: vec![],
                        then: Box::new(Step::Actions(vec![Action::Cut(CutAction { times: None })])),
                        otherwise: Box::new(Step::Actions(vec![])),
                    }),
                },
                Step::Actions(vec![
                    Action::Error(ErrorAction {
                        kind: ErrorKind::RateLimit,
                        status: Some(429),
                        message: None,
                        retry_after_ms: Some(7),
                        times: Some(2),
                    }),
                    Action::Gate("go".into()),
                    Action::DelayMs(1),
                ]),
            ],
        };
        assert_eq!(script, Ok(expected));
    }

    #[test]
    fn errors_name_the_line() {
        let check = |text: &str, start: &str| {
            let error = Script::parse(text).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        };
        check("[]\n\n[{\"txt\": 1}]", "line 3: unknown variant `txt`");
        check("{\"script\": {\"colour\": 1}}", "line 1: unknown field `colour`");
        check("{\"do\": []}", "line 1: missing field `needs`");
        check("nonsense", "line 1: expected");
    }
}
