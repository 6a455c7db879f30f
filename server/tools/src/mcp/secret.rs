//! Values of a server's settings: `${NAME}` is an environment variable, `cmd:` stands before a command that prints the
//! value. They are looked up at each connection, so that a value that changed counts. Where the settings say that values
//! are literal, they stand for themselves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::hub::EnvironmentLookup;
use crate::command_line::{CommandLine, run_command};

/// How long a command may take that prints a value.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
const COMMAND: &str = "cmd:";

/// How the values of a server are read.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) environment: &'a EnvironmentLookup,
    /// Whether they stand for themselves.
    pub(super) literal: bool,
}

impl Values<'_> {
    /// The text with its variables replaced; the error names the one that is not set.
    pub(super) fn expanded(self, text: &str) -> Result<String, String> {
        if self.literal { Ok(text.to_owned()) } else { expanded(text, self.environment) }
    }

    /// The value that a text stands for; `name` says which one it is.
    pub(super) async fn revealed(self, name: &str, text: &str, cwd: &Path) -> Result<String, String> {
        if self.literal { Ok(text.to_owned()) } else { revealed(name, text, self.environment, cwd).await }
    }
}

fn expanded(text: &str, environment: &EnvironmentLookup) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            result.push_str("${");
            rest = after;
            continue;
        };
        let inside = inside.strip_prefix("env://").or_else(|| inside.strip_prefix("env:")).unwrap_or(inside);
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        match (environment(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => result.push_str(&value),
            (None, Some(default)) => result.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the environment variable {name} is not set; set it, or write ${{{name}:-}}"
                ));
            }
        }
        rest = tail;
    }
    result.push_str(rest);
    Ok(result)
}

async fn revealed(
    name: &str,
    text: &str,
    environment: &EnvironmentLookup,
    cwd: &Path,
) -> Result<String, String> {
    let Some(command) = text.strip_prefix(COMMAND) else {
        return expanded(text, environment).map_err(|error| format!("{name}: {error}"));
    };
    let line = CommandLine {
        command: command.trim().to_owned(),
        cwd: cwd.to_owned(),
        timeout: COMMAND_LIMIT,
        private_variables: Vec::new(),
    };
    let unseen = Arc::new(|_: String, _: bool| {});
    let failed = |why: String| format!("the command that prints {name} {why}; correct it");
    let end = run_command(line, unseen, CancellationToken::new())
        .await
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    match end.code {
        Some(0) => {
            let value = end.stdout.trim();
            if value.is_empty() { Err(failed("prints nothing".to_owned())) } else { Ok(value.to_owned()) }
        }
        Some(code) => Err(failed(format!("ended with {code}"))),
        None => Err(failed(format!("did not end within {} s", COMMAND_LIMIT.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_defaulted_or_named() {
        let environment: EnvironmentLookup = Arc::new(|name| (name == "A").then(|| "1".to_owned()));
        let check = |text| expanded(text, &environment);
        assert_eq!(check("${A} ${env:A} ${B:-2} $A ${"), Ok("1 1 2 $A ${".to_owned()));
        assert_eq!(check("${B:-}"), Ok(String::new()));
        let error = check("x${B}").unwrap_err();
        assert!(error.contains("B is not set"), "{error}");
    }

    #[tokio::test]
    async fn literal_values_stand_for_themselves() {
        let environment: EnvironmentLookup = Arc::new(|_| Some("1".to_owned()));
        let values = Values { environment: &environment, literal: true };
        assert_eq!(values.expanded("${A}"), Ok("${A}".to_owned()));
        assert_eq!(values.revealed("A", "cmd:echo 1", Path::new("/")).await, Ok("cmd:echo 1".to_owned()));
        let values = Values { literal: false, ..values };
        assert_eq!(values.expanded("${A}"), Ok("1".to_owned()));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_prints_the_value_or_is_named() {
        let environment: EnvironmentLookup = Arc::new(|_| None);
        let check = |text: &'static str| {
            let environment = environment.clone();
            async move { revealed("TOKEN", text, &environment, Path::new("/")).await }
        };
        assert_eq!(check("cmd: echo secret").await, Ok("secret".to_owned()));
        for (text, said) in [("cmd:exit 3", "ended with 3"), ("cmd:true", "prints nothing")] {
            let error = check(text).await.unwrap_err();
            assert!(error.contains("TOKEN") && error.contains(said), "{error}");
        }
    }
}
