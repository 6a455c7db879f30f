//! The command line: one table of options and subcommands, from which parsing and help are made.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use serde_json::{Map, Value};

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Serve an editor on stdin and stdout.
    Serve(Serve),
    /// Play a recording against a fresh server.
    Replay { file: PathBuf, serve: Serve },
    /// Check the installation.
    Doctor(Serve),
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

/// Options of the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Serve {
    /// Record both directions into this file.
    pub(crate) record: Option<PathBuf>,
    /// Read these settings instead of the user's file.
    pub(crate) config: Option<PathBuf>,
    /// Settings of the highest priority, by their JSON names.
    pub(crate) settings: Map<String, Value>,
}

/// Options that set a setting: option, setting, what the help says.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("model", "model", "PROVIDER/NAME  the model"),
    ("mode", "mode", "MODE           plan, ask, edit or auto"),
    ("thinking-level", "thinkingLevel", "LEVEL          off, none, minimal, low, medium or high"),
    ("provider-url", "providerUrl", "URL            the provider's base URL"),
    ("provider-wire", "providerWire", "WIRE           what the server at that URL speaks"),
    (
        "provider-api-key",
        "providerApiKey",
        "KEY            the provider's key; better an environment variable",
    ),
    ("system-prompt", "systemPrompt", "TEXT           instructions added to the built-in ones"),
];

/// The help text.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "kit-ls: an AI coding agent as a language server\n\n\
         Usage: kit-ls [serve] [--stdio] [OPTIONS]   serve an editor on stdin and stdout\n       \
         kit-ls doctor [OPTIONS]              check the installation\n       \
         kit-ls --replay FILE [OPTIONS]       play a recording, print what the server sends\n\n\
         Options:\n  \
         --record FILE                    record both directions, secrets removed\n  \
         --config FILE                    read these settings instead of ~/.kit.yml\n",
    );
    for (option, _, description) in SETTINGS {
        let (value, meaning) = description.split_once("  ").unwrap_or((description, ""));
        let left = format!("--{option} {value}");
        text.push_str(&format!("  {left:<32} {}\n", meaning.trim()));
    }
    text.push_str(
        "  -h, --help                       this text\n  -V, --version                    the version\n\n\
         Environment: KIT_HOME moves every file that is kept outside the workspace, KIT_LOG filters the log\n\
         (for example debug), KIT_MODEL, KIT_MODE and the like set settings, ANTHROPIC_API_KEY,\n\
         OPENAI_API_KEY and the like are the providers' keys.\n",
    );
    text
}

/// Reads the command line without the program's name; the error is one sentence.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    read(Parser::from_args(arguments)).map_err(|error| format!("{error}; `kit-ls --help` lists the options"))
}

fn read(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let mut serve = Serve::default();
    let mut replay = None;
    let mut doctor = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Long("stdio") => {}
            Arg::Long("record") => serve.record = Some(parser.value()?.into()),
            Arg::Long("replay") => replay = Some(PathBuf::from(parser.value()?)),
            Arg::Long("config") => serve.config = Some(parser.value()?.into()),
            Arg::Long(name) => {
                let name = name.to_owned();
                match SETTINGS.iter().find(|(option, ..)| *option == name) {
                    Some((_, setting, _)) => {
                        let value = parser.value()?.string()?;
                        serve.settings.insert((*setting).to_owned(), Value::String(value));
                    }
                    None => return Err(Arg::Long(&name).unexpected()),
                }
            }
            Arg::Value(value) if value == "serve" => {}
            Arg::Value(value) if value == "doctor" => doctor = true,
            Arg::Short(_) | Arg::Value(_) => return Err(argument.unexpected()),
        }
    }
    Ok(match (replay, doctor) {
        (Some(file), _) => Command::Replay { file, serve },
        (None, true) => Command::Doctor(serve),
        (None, false) => Command::Serve(serve),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn no_argument_stdio_and_serve_all_serve() {
        for line in ["", "--stdio", "serve", "serve --stdio"] {
            assert_eq!(parsed(line), Ok(Command::Serve(Serve::default())), "{line}");
        }
    }

    #[test]
    fn options_become_settings_under_their_json_names() {
        let Ok(Command::Serve(serve)) = parsed("--model a/b --thinking-level=high --record x.jsonl") else {
            panic!("not parsed")
        };
        assert_eq!(Value::Object(serve.settings), json!({"model": "a/b", "thinkingLevel": "high"}));
        assert_eq!(serve.record, Some(PathBuf::from("x.jsonl")));
    }

    #[test]
    fn unknown_options_and_commands_are_one_sentence() {
        for line in ["--frobnicate", "dance", "-x", "--model"] {
            let error = parsed(line).unwrap_err();
            assert!(error.ends_with("`kit-ls --help` lists the options"), "{error}");
        }
    }
}
