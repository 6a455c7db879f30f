//! The shell that runs commands, and what it sees of this process's environment.
//!
//! Commands inherit the environment without keys of model providers and passwords: a command has no use for them, and
//! whatever it prints reaches the model. Variables that would make a program wait for a terminal are set to values that
//! make it fail or go on instead.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use tokio::process::Command;

/// Names that no command sees.
const PRIVATE: [&str; 29] = [
    "SUDO_PASSWORD",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "AZURE_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "TOGETHER_API_KEY",
    "FIREWORKS_API_KEY",
    "CEREBRAS_API_KEY",
    "COHERE_API_KEY",
    "PERPLEXITY_API_KEY",
    "MOONSHOT_API_KEY",
    "DASHSCOPE_API_KEY",
    "ZHIPU_API_KEY",
    "ZAI_API_KEY",
    "MINIMAX_API_KEY",
    "NVIDIA_API_KEY",
    "HUGGINGFACE_API_KEY",
    "OLLAMA_API_KEY",
    "AI_GATEWAY_API_KEY",
    "KIT_PROVIDER_API_KEY",
];

/// Variables for programs that expect a terminal.
const WITHOUT_TERMINAL: [(&str, &str); 5] = [
    ("TERM", "dumb"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_EDITOR", "false"),
];

/// Whether a variable holds a key or password that commands must not see.
fn is_private(name: &str, further: &[String]) -> bool {
    let same = |private: &str| private.eq_ignore_ascii_case(name);
    PRIVATE.iter().any(|private| same(private)) || further.iter().any(|private| same(private))
}

/// Sets the environment of a command.
pub(super) fn prepare(command: &mut Command, private: &[String]) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| is_private(name, private)) {
            command.env_remove(name);
        }
    }
    command.envs(WITHOUT_TERMINAL);
}

/// The shell of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shell {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its name for messages.
    pub(crate) name: &'static str,
    flags: &'static [&'static str],
}

impl Shell {
    /// Bash, else the system's plain shell; on Windows without bash PowerShell, else `cmd`.
    pub(crate) fn find() -> Self {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        Self::find_in(&folders)
    }

    fn find_in(folders: &[PathBuf]) -> Self {
        let candidates: &[(&str, &[&str])] = if cfg!(windows) {
            &[
                ("pwsh.exe", &["-NoProfile", "-NonInteractive", "-Command"]),
                ("powershell.exe", &["-NoProfile", "-NonInteractive", "-Command"]),
            ]
        } else {
            &[("bash", &["-c"]), ("sh", &["-c"])]
        };
        let usual = ["/bin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
        for (name, flags) in candidates {
            let program = folders
                .iter()
                .chain(&usual)
                .map(|folder| folder.join(name))
                .find(|program| program.is_file());
            if let Some(program) = program {
                return Self { program, name, flags };
            }
        }
        if cfg!(windows) {
            Self { program: PathBuf::from("cmd.exe"), name: "cmd.exe", flags: &["/D", "/S", "/C"] }
        } else {
            Self { program: PathBuf::from("/bin/sh"), name: "sh", flags: &["-c"] }
        }
    }

    /// The arguments that make it run a command line.
    pub(crate) fn arguments(&self, command: &str) -> Vec<OsString> {
        self.flags.iter().map(OsString::from).chain([OsString::from(command)]).collect()
    }

    /// Whether command lines have to be written for bash.
    pub(crate) fn is_bash(&self) -> bool {
        self.program.file_stem() == Some(OsStr::new("bash"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_providers_are_private_in_any_case() {
        let further = ["MY_MODEL_KEY".to_owned()];
        let seen =
            ["OPENAI_API_KEY", "openai_api_key", "SUDO_PASSWORD", "MY_MODEL_KEY", "PATH", "GITHUB_TOKEN"]
                .map(|name| is_private(name, &further));
        assert_eq!(seen, [true, true, true, true, false, false]);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_is_found_without_any_path() {
        let shell = Shell::find_in(&[]);
        assert!(shell.program.is_absolute() && shell.program.is_file());
        assert_eq!(shell.arguments("a b"), ["-c", "a b"]);
    }
}
