//! The command line: subcommands and options, of which parsing, help, completion and the manual page are made.
//!
//! A subcommand's own arguments stand in its module; what several share stands here. Options that set a setting are
//! the layer of the highest priority and hold for every subcommand.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::{Map, Value};

use crate::agents::Agents;
use crate::auth::Auth;
use crate::browse::Stored;
use crate::config::Config;
use crate::headless::Run;
use crate::manage::Manage;
use crate::mcp::command::McpCommand;
use crate::models::ModelsCommand;

/// What the help ends with.
const ENVIRONMENT: &str = "\
Environment:
  KIT_HOME            moves every file that is kept outside the workspace
  KIT_LOG             filters the log, for example debug
  KIT_MODEL, …        settings: KIT_ and the name of the setting in capitals
  ANTHROPIC_API_KEY, OPENAI_API_KEY and the like are the providers' keys";

/// An AI coding agent as a language server.
///
/// Without a subcommand it serves an editor on stdin and stdout.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "kit-ls", version, after_help = ENVIRONMENT, disable_help_subcommand = true)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Serve an editor on stdin and stdout, as without it
    #[arg(long)]
    stdio: bool,
    /// Play a recording against a fresh server and print what the server sends
    #[arg(long, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub(crate) enum Command {
    /// Serve an editor on stdin and stdout
    Serve {
        /// Accepted because editors pass it
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// Serve an editor that speaks the Agent Client Protocol, such as Zed, on stdin and stdout
    Acp {
        /// Accepted because editors pass it
        #[arg(long, hide = true)]
        stdio: bool,
    },
    Run(Run),
    /// List, show, export, rename and delete stored sessions
    Sessions {
        #[command(subcommand)]
        stored: Stored,
    },
    Config(Config),
    Agents(Agents),
    /// Log in at a provider, log out, or see which key counts
    Auth {
        #[command(subcommand)]
        auth: Auth,
    },
    /// List, check, write, test, install and grant extensions
    Extensions {
        #[command(subcommand)]
        command: Manage,
    },
    /// List MCP servers, try one, log in there or log out
    Mcp {
        #[command(subcommand)]
        command: McpCommand,
    },
    /// Check the installation
    Doctor,
    /// List the models, or refresh what is known about them
    Models(ModelsCommand),
    /// Print the completions of a shell, for example into ~/.local/share/bash-completion/completions/kit-ls
    Completions {
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all subcommands into a folder such as ~/.local/share/man/man1
    Man {
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// Options of every subcommand.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(crate) struct Options {
    /// Record what the server receives and sends, secrets removed
    #[arg(long, value_name = "FILE", global = true, help_heading = "Files")]
    pub(crate) record: Option<PathBuf>,
    /// Read these settings instead of ~/.kit.yml
    #[arg(long, value_name = "FILE", value_parser = existing, global = true, help_heading = "Files")]
    pub(crate) config: Option<PathBuf>,
    /// Append what model providers send, to be played again with the model recorded/FILE
    #[arg(long, value_name = "FILE", global = true, help_heading = "Files")]
    pub(crate) record_model: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingOptions,
    /// What a subcommand's own options set.
    #[arg(skip)]
    further: Map<String, Value>,
    /// The folder that a subcommand's own option trusts.
    #[arg(skip)]
    trusted: Option<PathBuf>,
}

impl Options {
    /// The settings of the command line by their JSON names.
    pub(crate) fn settings(&self) -> Map<String, Value> {
        let SettingOptions {
            model,
            mode,
            thinking_level,
            provider_url,
            provider_wire,
            provider_api_key,
            system_prompt,
            tls_skip_verify,
            extension,
            no_extensions,
        } = &self.settings;
        let texts = [
            ("model", model),
            ("mode", mode),
            ("thinkingLevel", thinking_level),
            ("providerUrl", provider_url),
            ("providerWire", provider_wire),
            ("providerApiKey", provider_api_key),
            ("systemPrompt", system_prompt),
        ];
        let given = texts.into_iter().filter_map(|(name, value)| {
            value.as_ref().map(|value| (name.to_owned(), Value::String(value.clone())))
        });
        let unchecked = tls_skip_verify.then(|| ("tlsSkipVerify".to_owned(), Value::Bool(true)));
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let paths = extension.iter().map(|path| Value::from(absolute(path).to_string_lossy().into_owned()));
        let extensions = (!extension.is_empty()).then(|| ("extension".to_owned(), paths.collect()));
        let none = no_extensions.then(|| ("noExtensions".to_owned(), Value::Bool(true)));
        given.chain(unchecked).chain(extensions).chain(none).chain(self.further.clone()).collect()
    }

    /// The folder that is trusted as long as the process runs.
    pub(crate) fn trusted(&self) -> Option<&PathBuf> {
        self.trusted.as_ref()
    }

    /// The same, with a folder that is trusted as long as the process runs.
    pub(crate) fn trusting(mut self, folder: PathBuf) -> Self {
        self.trusted = Some(folder);
        self
    }

    /// The same with what a subcommand's own options set.
    pub(crate) fn with_settings(mut self, further: Map<String, Value>) -> Self {
        self.further.extend(further);
        self
    }
}

/// A file that is there: without what it says, more may happen than was meant.
fn existing(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.exists() { Ok(path) } else { Err("there is no such file".to_owned()) }
}

/// The values of `--mode`. A mistake must not run in another mode than was meant.
const MODES: [&str; 4] = ["plan", "ask", "edit", "auto"];
/// The values of `--thinking-level`.
const LEVELS: [&str; 6] = ["off", "none", "minimal", "low", "medium", "high"];

/// Options that set a setting.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Settings")]
struct SettingOptions {
    /// The model
    #[arg(long, short, value_name = "PROVIDER/NAME", global = true)]
    model: Option<String>,
    /// What goes ahead without asking: plan, ask, edit or auto
    #[arg(long, value_name = "MODE", value_parser = MODES, hide_possible_values = true, global = true)]
    mode: Option<String>,
    /// How much the model reasons: off, none, minimal, low, medium or high
    #[arg(long, value_name = "LEVEL", value_parser = LEVELS, hide_possible_values = true, global = true)]
    thinking_level: Option<String>,
    /// The provider's base URL
    #[arg(long, value_name = "URL", global = true)]
    provider_url: Option<String>,
    /// What the server at that URL speaks
    #[arg(long, value_name = "WIRE", global = true)]
    provider_wire: Option<String>,
    /// Accept any certificate of the provider, so that whoever is on the way can read everything
    #[arg(long, global = true)]
    tls_skip_verify: bool,
    /// The provider's key; an environment variable is safer, because other users can see command lines
    #[arg(long, value_name = "KEY", global = true)]
    provider_api_key: Option<String>,
    /// Instructions added to the built-in ones
    #[arg(long, value_name = "TEXT", global = true)]
    system_prompt: Option<String>,
    /// A further extension: a file, or a folder that holds some
    #[arg(id = "extension_paths", long = "extension", short, value_name = "PATH", global = true)]
    extension: Vec<PathBuf>,
    /// Load no extension
    #[arg(long, global = true)]
    no_extensions: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use serde_json::json;

    fn parsed(line: &str) -> Result<CommandLine, String> {
        let words = std::iter::once("kit-ls").chain(line.split_whitespace());
        CommandLine::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn no_argument_stdio_and_serve_all_serve() {
        for line in ["", "--stdio", "serve", "serve --stdio"] {
            let command = parsed(line).unwrap().command;
            assert!(matches!(command, None | Some(Command::Serve { .. })), "{line}");
        }
    }

    #[test]
    fn options_become_settings_under_their_json_names_wherever_they_stand() {
        for line in [
            "--model a/b --thinking-level=high --record x.jsonl",
            "serve --model a/b --thinking-level=high --record x.jsonl",
        ] {
            let options = parsed(line).unwrap().options;
            let expected = json!({"model": "a/b", "thinkingLevel": "high"});
            assert_eq!(Value::Object(options.settings()), expected);
            assert_eq!(options.record, Some(PathBuf::from("x.jsonl")));
        }
    }

    #[test]
    fn the_values_of_modes_and_levels_are_those_of_the_settings() {
        for mode in MODES {
            assert!(serde_json::from_value::<kit_protocol::Mode>(json!(mode)).is_ok(), "{mode}");
        }
        for level in LEVELS {
            assert!(serde_json::from_value::<kit_protocol::ThinkingLevel>(json!(level)).is_ok(), "{level}");
        }
    }

    #[test]
    fn an_extension_is_named_by_its_path() {
        for line in ["--extension a.js", "-e a.js", "run -e a.js go"] {
            let settings = parsed(line).unwrap().options.settings();
            assert!(settings["extension"][0].as_str().unwrap().ends_with("a.js"), "{line}");
        }
    }

    #[test]
    fn models_take_a_provider_or_a_source() {
        for line in ["models", "models openai", "models --all", "models update", "models update embedded"] {
            assert!(matches!(parsed(line).unwrap().command, Some(Command::Models(_))), "{line}");
        }
        assert!(parsed("models openai update").is_err());
    }

    #[test]
    fn a_mistake_is_named_with_what_is_near() {
        let cases = [
            ("--thinking-leve=low", "'--thinking-level'"),
            ("serv", "'serve'"),
            ("--model", "a value is required for '--model"),
            ("--mode plam", "a similar value exists: 'plan'"),
            ("--thinking-level=hi", "a similar value exists: 'high'"),
            ("--extensions x", "'--extension'"),
            ("--config no-such-file", "there is no such file"),
        ];
        for (line, expected) in cases {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
