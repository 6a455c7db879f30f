//! From what a provider reports to a typed error with one sentence for the user.
//!
//! The decision uses, in this order: context overflow (`overflow`), quota and billing codes, the HTTP status, and inside
//! a stream that began with 200 the status that the error's own code or type stands for. Numbers are compared as
//! numbers. `x-should-retry` overrules whether a retry can help.

use std::time::Duration;

use jiff::Timestamp;
use kit_protocol::ErrorKind;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::auth;
use crate::catalogue::Catalogue;
use crate::error::{ModelError, Retry};
use crate::overflow::is_overflow;

/// The longest part of a provider's own text that goes into a sentence.
const LONGEST_TEXT: usize = 300;

/// How a sentence about a conversation that is too large ends, for callers that have tried that already.
pub const OVERFLOW_MEND: &str = "; compact it or choose a model with a larger window";

/// Who failed, for the sentence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The provider's id.
    pub(crate) provider: &'a str,
    /// The provider's name for people.
    pub(crate) name: &'a str,
    /// The model as the provider knows it.
    pub(crate) model: &'a str,
    /// Where the key comes from, such as the name of a variable.
    pub(crate) key_source: &'a str,
    /// The models that are known.
    pub(crate) catalogue: &'a Catalogue,
}

/// What the response headers say about retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetryHints {
    should: Option<bool>,
    after: Option<Duration>,
}

impl RetryHints {
    /// Reads `x-should-retry`, `retry-after-ms` and `retry-after`, which may be a date.
    pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let number =
            |name: &str| text(name).and_then(|text| text.parse::<f64>().ok()).filter(|number| *number >= 0.0);
        let milliseconds =
            number("retry-after-ms").and_then(|number| Duration::try_from_secs_f64(number / 1000.0).ok());
        let seconds = number("retry-after").and_then(|number| Duration::try_from_secs_f64(number).ok());
        let date = || {
            let date = jiff::fmt::rfc2822::parse(text("retry-after")?).ok()?.timestamp();
            Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
        };
        let should = match text("x-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) | None => None,
        };
        Self { should, after: milliseconds.or(seconds).or_else(date) }
    }
}

/// The parts of an error report that matter, whatever its shape.
#[derive(Debug, Default, PartialEq)]
struct Report {
    kinds: Vec<String>,
    status: Option<u16>,
    text: String,
    /// How long to wait, where the report says it.
    delay: Option<Duration>,
    /// A quota that a moment does not fill again.
    long_quota: bool,
}

impl Report {
    fn read(value: &Value) -> Self {
        let value = value.as_array().and_then(|items| items.first()).unwrap_or(value);
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let codes =
            [error.get("type"), error.get("code"), error.get("status"), error.pointer("/details/error_code")];
        let said = error.as_str().map(str::to_owned);
        let said =
            said.or_else(|| ["message", "Message", "detail"].iter().find_map(|field| text(error, field)));
        let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
        let delay = details.clone().find_map(|detail| seconds(detail.get("retryDelay")?.as_str()?));
        let violations = details.filter_map(|detail| detail.get("violations")?.as_array()).flatten();
        let long_quota = violations.filter_map(|violation| violation.get("quotaId")?.as_str());
        let raw = error.pointer("/metadata/raw").and_then(Value::as_str).map(str::to_owned);
        Self {
            kinds: codes.iter().flatten().filter_map(|code| code.as_str().map(str::to_owned)).collect(),
            status: error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()),
            text: [said.unwrap_or_default(), raw.unwrap_or_default()].join(" ").trim().to_owned(),
            delay,
            long_quota: long_quota.into_iter().any(|quota| quota.contains("PerDay")),
        }
    }

    fn is(&self, kinds: &[&str]) -> bool {
        self.kinds.iter().any(|kind| kinds.contains(&kind.as_str()))
    }

    /// The status that the report stands for when the response itself was no failure.
    fn own_status(&self) -> Option<u16> {
        let named = STATUSES.iter().find(|(kinds, _)| self.is(kinds)).map(|(_, status)| *status);
        self.status.filter(|status| (400..600).contains(status)).or(named)
    }
}

/// A number of seconds as Google writes it, such as `37s`.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

const STATUSES: &[(&[&str], u16)] = &[
    (&["authentication_error", "invalid_api_key", "UNAUTHENTICATED"], 401),
    (&["billing_error"], 402),
    (&["permission_error", "PERMISSION_DENIED"], 403),
    (&["not_found_error", "model_not_found", "NOT_FOUND"], 404),
    (&["request_too_large"], 413),
    (&["rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED", "throttlingException"], 429),
    (&["overloaded_error", "UNAVAILABLE", "serviceUnavailableException"], 529),
    (&["timeout_error", "DEADLINE_EXCEEDED", "modelTimeoutException"], 504),
    (&["api_error", "server_error", "INTERNAL", "internalServerException", "modelStreamErrorException"], 500),
    (&["invalid_request_error", "INVALID_ARGUMENT", "validationException"], 400),
];
/// Codes of a used-up quota, of missing credit and of plan limits: waiting a moment mends none of them.
const QUOTA: &[&str] = &[
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit_reached",
    "contract_spend_limit_reached",
    "credit_balance_exhausted",
    "enforced_spend_limit_reached",
    "usage_limit_reached",
    "usage_not_included",
    "1308",
];
const OVERFLOW: &[&str] = &["context_length_exceeded", "exceed_context_size_error", "request_too_large"];

/// The error for a reported failure. `status` is the one of the response, unless that was a success.
pub(crate) fn classify(
    subject: Subject<'_>,
    status: Option<u16>,
    report: &Value,
    hints: RetryHints,
) -> ModelError {
    let Subject { provider, name, model, key_source, catalogue } = subject;
    let report = Report::read(report);
    let status = status.or_else(|| report.own_status());
    let said = match sentence(&report.text) {
        text if text.is_empty() => String::new(),
        text => format!(": {text}"),
    };
    let too_large =
        status == Some(413) || report.is(OVERFLOW) || (status != Some(429) && is_overflow(&report.text));
    let no_quota =
        status == Some(402) || report.long_quota || report.is(QUOTA) || report.status == Some(1308);
    let (kind, retry, message) = match status {
        _ if too_large => (
            ErrorKind::ContextOverflow,
            Retry::Never,
            format!("the conversation does not fit into the context window of {model}{said}{OVERFLOW_MEND}"),
        ),
        _ if no_quota => (
            ErrorKind::RateLimit,
            Retry::Never,
            format!(
                "the quota or credit at {name} is used up{said}; check plan and billing there, or choose another model"
            ),
        ),
        Some(401) => {
            let mend = match auth::is_login(key_source) {
                true => format!("log in again with `kit-ls auth login {provider}`"),
                false => format!("set {key_source} to a valid key"),
            };
            (ErrorKind::Auth, Retry::Never, format!("{name} refused the key from {key_source}{said}; {mend}"))
        }
        Some(403) => (
            ErrorKind::Auth,
            Retry::Never,
            format!(
                "the key from {key_source} has no right to use {model} at {name}{said}; use another key, or choose another model"
            ),
        ),
        Some(404) => {
            let mut near = catalogue.suggestions(provider, model);
            near.retain(|near| near != model);
            let near = near.join(", ");
            let near = if near.is_empty() { String::new() } else { format!(" (similar: {near})") };
            let message = format!(
                "{name} does not know {model}{said}; choose another model{near} or check the base URL"
            );
            (ErrorKind::NotFound, Retry::Never, message)
        }
        Some(429) => (ErrorKind::RateLimit, Retry::Backoff, format!("{name} asks to slow down{said}")),
        Some(408 | 409 | 425) => (
            ErrorKind::Unavailable,
            Retry::Backoff,
            format!("{name} could not take the request in time{said}"),
        ),
        Some(407) => (
            ErrorKind::Unavailable,
            Retry::Never,
            format!(
                "the proxy on the way to {name} wants a login; put user and password into the setting `proxy`"
            ),
        ),
        Some(status) if status < 500 => {
            let mend = refusal_mend(&report);
            let message = format!("{name} refused the request with status {status}{said}; {mend}");
            (ErrorKind::InvalidRequest, Retry::Never, message)
        }
        Some(status) => (
            ErrorKind::Unavailable,
            Retry::Backoff,
            format!("{name} is unavailable with status {status}{said}"),
        ),
        None => (ErrorKind::Unavailable, Retry::Backoff, format!("{name} reported an error{said}")),
    };
    let retry = match (hints.should, hints.after.or(report.delay), retry) {
        (Some(false), _, _) | (None, _, Retry::Never) => Retry::Never,
        (Some(true), _, Retry::Never) if too_large || no_quota => Retry::Never,
        (Some(true) | None, Some(delay), _) => Retry::After(delay),
        (Some(true) | None, None, _) => Retry::Backoff,
    };
    ModelError { retry, status, ..ModelError::new(kind, message) }
}

/// What mends a refused request. The provider's words choose nothing but these words.
fn refusal_mend(report: &Report) -> &'static str {
    let text = report.text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&[
        "support tool",
        "tool use is not",
        "tools is not supported",
        "tools are not supported",
        "function calling is not",
    ]) {
        "choose a model that calls tools"
    } else if report.is(&["invalid_function_parameters"])
        || says(&["schema for function", "input_schema", "tool schema"])
    {
        "leave that tool out with exclude-core-tools or by turning its server or extension off, or choose another model"
    } else {
        "change the prompt or the settings, or choose another model"
    }
}

/// A provider's text as part of a sentence: one line, not too long, without its full stop and without keys.
pub(crate) fn sentence(text: &str) -> String {
    let word = |word: &str| if word.contains("sk-") { "[key]".to_owned() } else { word.to_owned() };
    let mut line = text.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    if line.chars().count() > LONGEST_TEXT {
        line = line.chars().take(LONGEST_TEXT).chain("…".chars()).collect();
    }
    line.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use serde_json::json;

    use super::*;

    fn classify(status: Option<u16>, report: &Value, hints: RetryHints) -> ModelError {
        let subject = Subject {
            provider: "openai",
            name: "OpenAI",
            model: "gpt-5.4-min",
            key_source: "OPENAI_API_KEY",
            catalogue: &Catalogue::default(),
        };
        super::classify(subject, status, report, hints)
    }

    fn check(status: Option<u16>, report: Value) -> (ErrorKind, Retry) {
        let error = classify(status, &report, RetryHints::default());
        (error.kind, error.retry)
    }

    fn hints(pairs: &[(&'static str, &'static str)]) -> RetryHints {
        let headers = pairs.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        RetryHints::read(&headers.collect(), "2026-11-21T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn statuses_decide() {
        use ErrorKind::{Auth, ContextOverflow, InvalidRequest, NotFound, RateLimit, Unavailable};
        let cases = [
            (400, InvalidRequest, Retry::Never),
            (401, Auth, Retry::Never),
            (402, RateLimit, Retry::Never),
            (403, Auth, Retry::Never),
            (404, NotFound, Retry::Never),
            (408, Unavailable, Retry::Backoff),
            (409, Unavailable, Retry::Backoff),
            (413, ContextOverflow, Retry::Never),
            (422, InvalidRequest, Retry::Never),
            (429, RateLimit, Retry::Backoff),
            (500, Unavailable, Retry::Backoff),
            (529, Unavailable, Retry::Backoff),
        ];
        for (status, kind, retry) in cases {
            assert_eq!(check(Some(status), json!({"error": {"message": "no"}})), (kind, retry), "{status}");
        }
    }

    #[test]
    fn types_and_codes_decide_inside_a_stream() {
        let cases = [
            (
                json!({"type": "overloaded_error", "message": "Overloaded"}),
                ErrorKind::Unavailable,
                Retry::Backoff,
            ),
            (json!({"error": {"code": 429, "message": "slow"}}), ErrorKind::RateLimit, Retry::Backoff),
            (json!({"type": "authentication_error"}), ErrorKind::Auth, Retry::Never),
            (json!([{"error": {"status": "INVALID_ARGUMENT"}}]), ErrorKind::InvalidRequest, Retry::Never),
            (json!("something"), ErrorKind::Unavailable, Retry::Backoff),
        ];
        for (report, kind, retry) in cases {
            assert_eq!(check(None, report.clone()), (kind, retry), "{report}");
        }
    }

    #[test]
    fn numbers_inside_texts_decide_nothing() {
        let report = json!({"error": {"message": "request req_401_429_500 is invalid"}});
        assert_eq!(check(Some(400), report), (ErrorKind::InvalidRequest, Retry::Never));
    }

    #[test]
    fn a_used_up_quota_is_never_retried() {
        let quota =
            json!({"error": {"code": "insufficient_quota", "message": "You exceeded your current quota."}});
        assert_eq!(check(Some(429), quota.clone()), (ErrorKind::RateLimit, Retry::Never));
        let error = classify(Some(429), &quota, hints(&[("x-should-retry", "true"), ("retry-after", "1")]));
        assert_eq!(error.retry, Retry::Never);
        let spend = json!({"error": {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}});
        assert_eq!(check(Some(429), spend), (ErrorKind::RateLimit, Retry::Never));
    }

    #[test]
    fn google_says_in_the_report_how_long_to_wait() {
        let report = |details: Value| json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}}]);
        let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"});
        assert_eq!(
            check(Some(429), report(json!([retry]))),
            (ErrorKind::RateLimit, Retry::After(Duration::from_secs(37)))
        );
        let quota = json!({"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]});
        assert_eq!(check(Some(429), report(json!([quota, retry]))), (ErrorKind::RateLimit, Retry::Never));
    }

    #[test]
    fn overflow_is_recognized_by_code_and_by_text() {
        let overflow = (ErrorKind::ContextOverflow, Retry::Never);
        assert_eq!(check(Some(400), json!({"error": {"code": "context_length_exceeded"}})), overflow);
        assert_eq!(
            check(Some(400), json!({"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}})),
            overflow
        );
        let wrapped = json!({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "maximum context length is 5"}}});
        assert_eq!(check(Some(400), wrapped), overflow);
        assert_eq!(
            check(Some(429), json!({"error": {"message": "too many tokens"}})).0,
            ErrorKind::RateLimit
        );
    }

    #[test]
    fn headers_name_the_delay() {
        let retry = |pairs| classify(Some(503), &Value::Null, hints(pairs)).retry;
        assert_eq!(retry(&[("retry-after", "2")]), Retry::After(Duration::from_secs(2)));
        assert_eq!(retry(&[("retry-after", "0.5")]), Retry::After(Duration::from_millis(500)));
        assert_eq!(
            retry(&[("retry-after", "9"), ("retry-after-ms", "20")]),
            Retry::After(Duration::from_millis(20))
        );
        assert_eq!(
            retry(&[("retry-after", "Sat, 21 Nov 2026 10:00:07 GMT")]),
            Retry::After(Duration::from_secs(7))
        );
        assert_eq!(retry(&[("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT")]), Retry::After(Duration::ZERO));
        assert_eq!(retry(&[("retry-after", "soon")]), Retry::Backoff);
        assert_eq!(retry(&[("x-should-retry", "false"), ("retry-after", "1")]), Retry::Never);
    }

    #[test]
    fn the_server_may_ask_for_a_retry_of_a_final_error() {
        let error = classify(Some(400), &Value::Null, hints(&[("x-should-retry", "true")]));
        assert_eq!(error.retry, Retry::Backoff);
    }

    #[test]
    fn sentences_name_the_thing_and_the_mend() {
        let message = |status, text: &str| {
            classify(Some(status), &json!({"error": {"message": text}}), RetryHints::default()).message
        };
        assert_eq!(
            message(401, "Incorrect API key provided:\n sk-proj-abc***xyz."),
            "OpenAI refused the key from OPENAI_API_KEY: Incorrect API key provided: [key]; set OPENAI_API_KEY to a valid key"
        );
        assert_eq!(
            message(404, ""),
            "OpenAI does not know gpt-5.4-min; choose another model (similar: gpt-5.4-mini, gpt-4.1-mini, gpt-5-mini, gpt-5.4-nano, gpt-5.4-pro) or check the base URL"
        );
        assert_eq!(
            message(500, &"long ".repeat(100)).chars().count(),
            "OpenAI is unavailable with status 500: ".len() + 301
        );
    }
}
