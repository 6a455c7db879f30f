//! What went wrong in JavaScript, with the place in the file.
//!
//! The place is the first line of the stack that belongs to neither the prelude nor QuickJS.

use rquickjs::{CaughtError, Coerced, Ctx, Exception, FromJs, Object, Value};

use crate::kit::extension::types::{Error, ErrorCode};

/// The prefix of the prelude's file names.
pub(crate) const PRELUDE: &str = "kit:";
const INTERRUPTED: &str = "interrupted";
const CODES: [(&str, ErrorCode); 8] = [
    ("denied", ErrorCode::Denied),
    ("cancelled", ErrorCode::Cancelled),
    ("timeout", ErrorCode::Timeout),
    ("not-found", ErrorCode::NotFound),
    ("invalid", ErrorCode::Invalid),
    ("unavailable", ErrorCode::Unavailable),
    ("internal", ErrorCode::Internal),
    ("rate-limited", ErrorCode::RateLimited),
];

/// The name of a code in JavaScript.
pub(crate) fn code_name(code: ErrorCode) -> &'static str {
    CODES.iter().find(|(_, known)| *known == code).map_or("internal", |(name, _)| name)
}

/// An error on its way to the host.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: ErrorCode,
    message: String,
    place: Option<Place>,
    stack: Option<String>,
}

/// Where in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    file: String,
    line: u32,
    column: Option<u32>,
}

impl Failure {
    /// A failure that no line of the file is to blame for.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), place: None, stack: None }
    }

    /// What was thrown.
    pub(crate) fn thrown<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Self {
        let Some(exception) = value.as_object().cloned().and_then(Exception::from_object) else {
            let text = Coerced::<String>::from_js(ctx, value.clone());
            let text = text.map_or_else(|_| "something that has no text".to_owned(), |text| text.0);
            return Failure::new(ErrorCode::Internal, format!("thrown: {text}"));
        };
        let object: &Object = exception.as_object();
        let name: String = object.get("name").unwrap_or_default();
        let message = exception.message().unwrap_or_default();
        let stack = exception.stack().filter(|stack| !stack.is_empty());
        let code = object.get::<_, Option<String>>("code").ok().flatten();
        let code = code.and_then(|code| CODES.iter().find(|(known, _)| **known == code));
        let interrupted = name == "InternalError" && message == INTERRUPTED;
        let code = match code {
            Some((_, code)) => *code,
            None if interrupted => ErrorCode::Timeout,
            None => ErrorCode::Internal,
        };
        let message = match name.as_str() {
            _ if interrupted => "ran too long without waiting for anything".to_owned(),
            "" | "Error" | "HostError" => message,
            _ => format!("{name}: {message}"),
        };
        Failure { code, message, place: stack.as_deref().and_then(place), stack }
    }

    /// What a call of QuickJS ended with.
    pub(crate) fn caught<'js>(ctx: &Ctx<'js>, error: CaughtError<'js>) -> Self {
        match error {
            CaughtError::Error(error) => Failure::new(ErrorCode::Internal, error.to_string()),
            CaughtError::Exception(exception) => Failure::thrown(ctx, &exception.into_value()),
            CaughtError::Value(value) => Failure::thrown(ctx, &value),
        }
    }

    /// The same with another code.
    pub(crate) fn with_code(self, code: ErrorCode) -> Self {
        Failure { code, ..self }
    }

    /// One line for the log.
    pub(crate) fn line(&self) -> String {
        match &self.place {
            Some(place) => format!("{} ({place})", self.message),
            None => self.message.clone(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.file, self.line)?;
        match self.column {
            Some(column) => write!(out, ":{column}"),
            None => Ok(()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let mut fields = Vec::new();
        if let Some(Place { file, line, column }) = &failure.place {
            fields.push(format!("\"file\":{}", quoted(file)));
            fields.push(format!("\"line\":{line}"));
            fields.extend(column.map(|column| format!("\"column\":{column}")));
        }
        fields.extend(failure.stack.as_deref().map(|stack| format!("\"stack\":{}", quoted(stack))));
        let data = (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(",")));
        Error { code: failure.code, message: failure.message, data }
    }
}

/// The first place of a stack that is in the author's file.
fn place(stack: &str) -> Option<Place> {
    stack.lines().find_map(|line| {
        let line = line.trim().strip_prefix("at ")?;
        let inside = line.rsplit_once('(').map_or(line, |(_, inside)| inside.trim_end_matches(')'));
        let (rest, last) = inside.rsplit_once(':')?;
        let last: u32 = last.parse().ok()?;
        let place = match rest.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
            Some((file, line)) => Place { file: file.to_owned(), line, column: Some(last) },
            None => Place { file: rest.to_owned(), line: last, column: None },
        };
        (!place.file.starts_with(PRELUDE)).then_some(place)
    })
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if u32::from(c) < 0x20 => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
