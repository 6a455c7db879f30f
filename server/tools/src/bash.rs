//! `bash`: a command line in the session's folder.

use std::borrow::Cow;
use std::time::Duration;

use kit_protocol::ToolKind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::caps;
use crate::exec::{self, Ending, Finished, Invocation, Shell};
use crate::sandbox;
use crate::settings::{Confinement, ToolSettings};
use crate::tool::{Access, Tool, ToolContext, ToolError, ToolOutput};

/// Runs a command line.
pub(crate) struct Bash {
    shell: Shell,
}

impl Bash {
    /// With the shell of this machine.
    pub(crate) fn new() -> Self {
        Self { shell: Shell::find() }
    }
}

/// Arguments of `bash`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BashInput {
    /// The command line.
    #[serde(alias = "cmd", alias = "script")]
    command: String,
    /// Seconds after which it is stopped. Default 120, at most 600.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    timeout: Option<f64>,
}

impl BashInput {
    fn timeout(&self, settings: &ToolSettings) -> Result<Duration, ToolError> {
        let Some(seconds) = self.timeout else { return Ok(settings.bash_timeout) };
        let wrong =
            || ToolError::Arguments("timeout: it must be a number of seconds greater than 0".to_owned());
        let wanted = if seconds > 0.0 { Duration::try_from_secs_f64(seconds) } else { return Err(wrong()) };
        // A number too large for a duration is as good as the largest.
        Ok(wanted.unwrap_or(settings.bash_max_timeout).min(settings.bash_max_timeout))
    }
}

impl Tool for Bash {
    type Input = BashInput;
    const NAME: &'static str = "bash";

    fn description(&self) -> Cow<'_, str> {
        let shell = if self.shell.is_bash() {
            Cow::Borrowed("bash")
        } else {
            Cow::Owned(format!("{} (not bash: write for this shell)", self.shell.name))
        };
        Cow::Owned(format!(
            "Run a command line with {shell} in the workspace folder. There is no terminal and no input, so use options that \
             do not ask. The result holds standard output, standard error and the exit code; long output is cut in the \
             middle. Commands see files as they are on disk, without unsaved changes in the editor; to read, search and \
             change files use the other tools, which do. Processes left in the background are stopped when the command \
             ends."
        ))
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Execute
    }

    fn title(&self, input: &BashInput, _context: &ToolContext) -> String {
        let command = input.command.trim();
        let first = command.lines().next().unwrap_or_default();
        let more = if first.len() < command.len() { " …" } else { "" };
        format!("$ {}{more}", caps::line(first, 200))
    }

    fn access(&self, input: &BashInput, context: &ToolContext) -> Result<Access, ToolError> {
        if input.command.trim().is_empty() {
            return Err(ToolError::Arguments("command: it is empty".to_owned()));
        }
        if input.command.contains('\0') {
            return Err(ToolError::Arguments("command: it holds a zero character".to_owned()));
        }
        input.timeout(&context.settings)?;
        Ok(Access::Execute { command: input.command.clone(), cwd: context.cwd.clone() })
    }

    async fn run(&self, input: BashInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let timeout = input.timeout(&context.settings)?;
        let unsaved = unsaved_files(&context);
        let (program, arguments) = self.program(&input.command, &context)?;
        let invocation = Invocation {
            program,
            arguments,
            cwd: context.cwd.clone(),
            private_variables: context.settings.private_variables.clone(),
            timeout,
        };
        let finished = exec::run(invocation, &context.output, &context.cancel).await.map_err(|error| {
            ToolError::Failed(format!(
                "the command could not be started in {}: {error}",
                context.cwd.display()
            ))
        })?;
        let confined = context.settings.confinement == Confinement::Sandboxed;
        Ok(report(&finished, timeout, &unsaved, confined))
    }
}

impl Bash {
    fn program(
        &self,
        command: &str,
        context: &ToolContext,
    ) -> Result<(std::path::PathBuf, Vec<std::ffi::OsString>), ToolError> {
        let arguments = self.shell.arguments(command);
        match (context.settings.confinement, &context.settings.sandbox) {
            (Confinement::Free, _) => Ok((self.shell.program.clone(), arguments)),
            (Confinement::Sandboxed, Some(sandbox)) => {
                let roots: Vec<_> = context.workspace.roots().into_iter().map(|root| root.real).collect();
                let confined = sandbox::command(sandbox, &roots, &self.shell.program, arguments);
                Ok((confined.program, confined.arguments))
            }
            (Confinement::Sandboxed, None) => {
                Err(ToolError::Failed("the command must run in a sandbox, and there is none".to_owned()))
            }
        }
    }
}

/// Files of the workspace whose unsaved text the command cannot see.
fn unsaved_files(context: &ToolContext) -> Vec<String> {
    let dirty = context.workspace.documents().list().into_iter().filter(|document| document.dirty);
    let mut names: Vec<String> = dirty
        .filter_map(|document| context.workspace.locate(&document.uri).ok())
        .filter(|location| location.inside && location.uri.is_file())
        .map(|location| location.display)
        .collect();
    names.sort();
    names
}

fn report(finished: &Finished, timeout: Duration, unsaved: &[String], confined: bool) -> ToolOutput {
    let mut parts = Vec::new();
    match finished.ending {
        Ending::TimedOut => {
            parts.push(format!("timed out after {} s; output so far:", timeout.as_secs_f64()))
        }
        Ending::Cancelled => parts.push("cancelled by the user; output so far:".to_owned()),
        Ending::Exited { .. } => {}
    }
    let (stdout, stderr) = (finished.stdout.trim_end(), finished.stderr.trim_end());
    if !stdout.is_empty() {
        parts.push(stdout.to_owned());
    }
    if !stderr.is_empty() {
        parts.push(format!("STDERR:\n{stderr}"));
    }
    if stdout.is_empty() && stderr.is_empty() {
        parts.push("(no output)".to_owned());
    }
    let failed = finished.ending != Ending::Exited { code: 0 };
    if let Ending::Exited { code } = finished.ending
        && code != 0
    {
        parts.push(format!("Exit code: {code}"));
    }
    if finished.stopped_background {
        parts.push("[processes that the command left in the background were stopped]".to_owned());
    }
    let refused = ["ermission denied", "EACCES", "Read-only file system", "Operation not permitted"];
    if confined && failed && refused.iter().any(|sign| stderr.contains(sign) || stdout.contains(sign)) {
        parts.push(
            "[the command ran in a sandbox: it can write only in the workspace and in the folder for temporary files. If it \
             needs more, tell the user, who can allow it with a permission rule]"
                .to_owned(),
        );
    }
    if !unsaved.is_empty() {
        const NAMED: usize = 5;
        let names = unsaved.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = match unsaved.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        parts.push(format!("[the command did not see unsaved changes in the editor: {names}{more}]"));
    }
    ToolOutput { content: parts.join("\n"), is_error: failed, ..ToolOutput::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(ending: Ending, stdout: &str, stderr: &str) -> Finished {
        Finished { ending, stdout: stdout.to_owned(), stderr: stderr.to_owned(), stopped_background: false }
    }

    fn shown(finished: &Finished) -> (String, bool) {
        let output = report(finished, Duration::from_millis(1500), &[], false);
        (output.content, output.is_error)
    }

    #[test]
    fn results_name_streams_codes_and_limits() {
        let ok = Ending::Exited { code: 0 };
        assert_eq!(shown(&finished(ok, "a\n", "")), ("a".to_owned(), false));
        assert_eq!(shown(&finished(ok, "", "")), ("(no output)".to_owned(), false));
        assert_eq!(
            shown(&finished(Ending::Exited { code: 2 }, "a\n", "b\n")),
            ("a\nSTDERR:\nb\nExit code: 2".to_owned(), true)
        );
        assert_eq!(
            shown(&finished(Ending::TimedOut, "a\n", "")),
            ("timed out after 1.5 s; output so far:\na".to_owned(), true)
        );
        assert_eq!(
            shown(&finished(Ending::Cancelled, "", "")),
            ("cancelled by the user; output so far:\n(no output)".to_owned(), true)
        );
    }

    #[test]
    fn notes_say_what_the_command_could_not_see_or_do() {
        let names: Vec<String> = (1..=7).map(|number| format!("{number}.rs")).collect();
        let output = report(
            &finished(Ending::Exited { code: 1 }, "", "touch: cannot touch '/x': Permission denied"),
            Duration::from_secs(1),
            &names,
            true,
        );
        let notes: Vec<&str> = output.content.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(
            notes,
            [
                "[the command ran in a sandbox: it can write only in the workspace and in the folder for temporary files. \
                 If it needs more, tell the user, who can allow it with a permission rule]",
                "[the command did not see unsaved changes in the editor: 1.rs, 2.rs, 3.rs, 4.rs, 5.rs and 2 more]",
            ]
        );
    }

    #[test]
    fn timeouts_may_have_fractions_and_are_bounded() {
        let settings = ToolSettings::default();
        let timeout = |timeout| BashInput { command: String::new(), timeout }.timeout(&settings);
        assert_eq!(timeout(None), Ok(Duration::from_secs(120)));
        assert_eq!(timeout(Some(0.25)), Ok(Duration::from_millis(250)));
        assert_eq!(timeout(Some(1e9)), Ok(Duration::from_secs(600)));
        assert_eq!(timeout(Some(1e300)), Ok(Duration::from_secs(600)));
        for wrong in [0.0, -1.0, f64::NAN] {
            assert!(timeout(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
