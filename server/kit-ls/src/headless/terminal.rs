//! The editor of a headless run: files on disk, and a person at the terminal if there is one.
//!
//! A question is asked on stderr and answered on stdin, and only when both are a terminal and the output is for people.
//! Otherwise nobody can be asked: the call is refused, and the model reads that.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kit_protocol::{
    AskAnswer, AskKind, AskRequest, FileDiagnostics, PermissionAnswer, PermissionOption, PermissionRequest,
};
use kit_workspace::{ApplyAnswer, DiskEditor, DocumentEdit, DocumentUri, Editor};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The editor of a headless run.
pub(super) struct Terminal {
    /// One question at a time; nothing where nobody can be asked.
    person: Option<Mutex<()>>,
}

impl Terminal {
    /// `talks` is whether the output is for people.
    pub(super) fn new(talks: bool) -> Self {
        let there = talks && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { person: there.then(Mutex::default) }
    }

    /// Asks until one of the choices, a number, is given; `None` where nobody answers.
    async fn choose(&self, text: String, choices: &[String], cancel: CancellationToken) -> Option<usize> {
        let _turn = self.person.as_ref()?.lock().await;
        let mut question = text;
        for (number, choice) in choices.iter().enumerate() {
            question.push_str(&format!("\n  {} {choice}", number + 1));
        }
        loop {
            let line = line(question.clone(), &cancel).await?;
            match line.trim().parse::<usize>() {
                Ok(number) if (1..=choices.len()).contains(&number) => return Some(number - 1),
                Ok(_) | Err(_) => question = format!("a number from 1 to {}", choices.len()),
            }
        }
    }
}

/// Asks for one line. A line that comes after the question was withdrawn is lost with it.
async fn line(question: String, cancel: &CancellationToken) -> Option<String> {
    let read = tokio::task::spawn_blocking(move || {
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{question}\n> ").ok()?;
        stderr.flush().ok()?;
        drop(stderr);
        let mut line = String::new();
        let length = std::io::stdin().lock().read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    });
    tokio::select! {
        line = read => line.ok().flatten(),
        () = cancel.cancelled() => None,
    }
}

impl Editor for Terminal {
    fn has_person(&self) -> bool {
        self.person.is_some()
    }

    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        DiskEditor.apply(edit)
    }

    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        DiskEditor.save(uris)
    }

    fn permission(
        &self,
        request: PermissionRequest,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        async move {
            let mut text = format!("\n{}", request.title);
            if let Some(command) = &request.subject.command {
                text.push_str(&format!("\n  $ {command}"));
            }
            if let Some(why) = &request.why {
                text.push_str(&format!("\n  {why}"));
            }
            let label = |option: &PermissionOption| option.label.clone();
            let labels: Vec<String> = request.options.iter().map(label).collect();
            let chosen = self.choose(text, &labels, cancel).await?;
            let option = request.options.get(chosen)?.id.clone();
            Some(PermissionAnswer { option, feedback: None })
        }
        .boxed()
    }

    fn ask(&self, request: AskRequest, cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        async move {
            let cancelled = AskAnswer { cancelled: true, ..AskAnswer::default() };
            match request.kind {
                AskKind::Select | AskKind::Overlay | AskKind::Confirm => {
                    let options = match request.kind {
                        AskKind::Confirm => vec!["Yes".to_owned(), "No".to_owned()],
                        AskKind::Select | AskKind::Overlay | AskKind::MultiSelect | AskKind::Input => {
                            request.options.clone()
                        }
                    };
                    if options.is_empty() {
                        return cancelled;
                    }
                    match self.choose(request.message, &options, cancel).await {
                        Some(index) => AskAnswer {
                            value: match request.kind {
                                AskKind::Confirm => Some(Value::Bool(index == 0)),
                                AskKind::Select
                                | AskKind::Overlay
                                | AskKind::MultiSelect
                                | AskKind::Input => options.get(index).cloned().map(Value::String),
                            },
                            index: u32::try_from(index).ok(),
                            ..AskAnswer::default()
                        },
                        None => cancelled,
                    }
                }
                // A masked answer would show on the terminal, and a list of answers has no form here.
                AskKind::MultiSelect => cancelled,
                AskKind::Input if request.masked => cancelled,
                AskKind::Input => {
                    let Some(person) = &self.person else { return cancelled };
                    let _turn = person.lock().await;
                    match line(request.message, &cancel).await {
                        Some(value) => {
                            AskAnswer { value: Some(Value::String(value)), ..AskAnswer::default() }
                        }
                        None => cancelled,
                    }
                }
            }
        }
        .boxed()
    }

    fn diagnostics(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        DiskEditor.diagnostics(uris)
    }
}
