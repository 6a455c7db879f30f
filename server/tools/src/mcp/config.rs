//! What the settings say about a server, read to what connecting needs.

use std::collections::BTreeMap;
use std::time::Duration;

use kit_protocol::{McpCommand, McpHeaders, McpServer, McpTransport, McpTransportName, Secret};
use reqwest::Url;

/// How long a call may be silent.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the start may take; some programs are downloaded first.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest limits that are taken from settings.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A program, its arguments, its variables and its folder.
    Program {
        program: String,
        arguments: Vec<String>,
        variables: BTreeMap<String, Secret>,
        cwd: Option<String>,
    },
    /// An address with headers.
    Address { url: String, headers: Vec<(String, Secret)>, login: Option<LoginConfig> },
}

/// What logins at a server need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoginConfig {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) scopes: Vec<String>,
}

/// How a server is reached, or one sentence that says what is wrong with its settings.
pub(super) fn endpoint(settings: &McpServer) -> Result<Endpoint, String> {
    match (&settings.command, &settings.url) {
        (Some(_), Some(_)) => Err("it has both `command` and `url`; leave one of them out".to_owned()),
        (None, None) => Err("it has neither `command` nor `url`; set one of them".to_owned()),
        (Some(command), None) => {
            if matches!(settings.r#type, Some(McpTransportName::Remote | McpTransportName::Sse)) {
                return Err("a remote server needs `url` and no `command`".to_owned());
            }
            let (program, first) = match command {
                McpCommand::Program(program) => (program.clone(), &[][..]),
                McpCommand::Words(words) => match words.split_first() {
                    Some((program, rest)) => (program.clone(), rest),
                    None => return Err("its `command` is empty; name a program".to_owned()),
                },
            };
            if program.trim().is_empty() {
                return Err("its `command` is empty; name a program".to_owned());
            }
            Ok(Endpoint::Program {
                program,
                arguments: first.iter().chain(settings.args.iter().flatten()).cloned().collect(),
                variables: settings.env.clone().unwrap_or_default(),
                cwd: settings.cwd.clone(),
            })
        }
        (None, Some(url)) => {
            if settings.r#type == Some(McpTransportName::Local) {
                return Err("a local server needs `command` and no `url`".to_owned());
            }
            let headers = headers(settings.headers.as_ref())?;
            let has_key = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            let wants_login = !settings.no_oauth.unwrap_or(false) && !has_key;
            let login = wants_login.then(|| LoginConfig {
                client_id: settings.oauth_client_id.clone(),
                client_secret: settings.oauth_client_secret.clone(),
                scopes: settings.oauth_scopes.clone().unwrap_or_default(),
            });
            Ok(Endpoint::Address { url: url.clone(), headers, login })
        }
    }
}

/// The address, which only may hold what the web knows.
pub(super) fn address(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("its `url` is no address: {error}"))?;
    match parsed.scheme() {
        "http" | "https" => Ok(parsed),
        other => Err(format!("its `url` begins with {other}:, and only http: and https: can be spoken to")),
    }
}

fn headers(headers: Option<&McpHeaders>) -> Result<Vec<(String, Secret)>, String> {
    match headers {
        None => Ok(Vec::new()),
        Some(McpHeaders::Named(named)) => {
            Ok(named.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        Some(McpHeaders::Lines(lines)) => lines
            .iter()
            .map(|line| match line.expose().split_once(':') {
                Some((name, value)) => Ok((name.trim().to_owned(), Secret::from(value.trim().to_owned()))),
                None => Err("one of its `headers` is not written as `Name: value`".to_owned()),
            })
            .collect(),
    }
}

/// How people are told that a server is reached.
pub(super) fn transport(settings: &McpServer) -> McpTransport {
    if settings.url.is_some() { McpTransport::Http } else { McpTransport::Stdio }
}

/// How long a call may be silent.
pub(super) fn call_timeout(settings: &McpServer) -> Duration {
    seconds(settings.timeout, CALL_TIMEOUT)
}

/// How long the start may take.
pub(super) fn start_timeout(settings: &McpServer) -> Duration {
    seconds(settings.start_timeout, START_TIMEOUT)
}

fn seconds(value: Option<u64>, default: Duration) -> Duration {
    value.filter(|value| *value > 0).map_or(default, Duration::from_secs).min(LONGEST)
}

/// Whether the settings leave a tool of the server.
pub(super) fn allows(settings: &McpServer, tool: &str) -> bool {
    let named = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.iter().any(|name| name == tool));
    named(&settings.allowed_tools).unwrap_or(true) && !named(&settings.excluded_tools).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<Endpoint, String> {
        endpoint(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn upstreams_and_other_programs_spellings_are_read() {
        let expected = read(json!({"type": "local", "command": ["npx", "-y", "x"]})).unwrap();
        for other in [
            json!({"command": "npx", "args": ["-y", "x"]}),
            json!({"type": "stdio", "command": ["npx"], "args": ["-y", "x"]}),
        ] {
            assert_eq!(read(other).unwrap(), expected);
        }
        let lines = read(json!({"type": "remote", "url": "http://x", "headers": ["A: b"]})).unwrap();
        let named =
            read(json!({"type": "streamable-http", "url": "http://x", "headers": {"A": "b"}})).unwrap();
        assert_eq!(lines, named);
        let Endpoint::Address { login: Some(_), .. } = lines else { panic!("no login") };
        for without in [
            json!({"url": "http://x", "noOauth": true}),
            json!({"url": "http://x", "headers": {"authorization": "Bearer b"}}),
        ] {
            let Endpoint::Address { login: None, .. } = read(without).unwrap() else { panic!("a login") };
        }
    }

    #[test]
    fn what_cannot_be_reached_is_said() {
        for (value, said) in [
            (json!({}), "neither"),
            (json!({"command": "a", "url": "http://x"}), "both"),
            (json!({"command": []}), "empty"),
            (json!({"type": "http", "command": "a"}), "needs `url`"),
            (json!({"type": "stdio", "url": "http://x"}), "needs `command`"),
            (json!({"url": "http://x", "headers": ["A"]}), "`Name: value`"),
        ] {
            let error = read(value).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(address("file:///etc/passwd").unwrap_err().contains("file:"));
        assert!(address("no").is_err());
    }

    #[test]
    fn lists_allow_and_deny_by_the_servers_own_names() {
        let settings: McpServer = serde_json::from_value(
            json!({"command": "a", "allowedTools": ["x", "y"], "excludedTools": ["y"]}),
        )
        .unwrap();
        assert_eq!(["x", "y", "z"].map(|tool| allows(&settings, tool)), [true, false, false]);
    }
}
