//! Files, requests, commands and the environment, each behind its permit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kit_contract::{
    EnvironmentParameters, FetchParameters, FetchResult, FileEntry, FileInfo, ListFilesParameters,
    PathParameters, ReadFileParameters, ReadFileResult, RunParameters, RunResult, Skill, SleepParameters,
    WriteFileParameters, WriteFileResult,
};
use kit_protocol::{AgentId, Attribution, SessionId, ToolCallId, TurnId};
use kit_text::Text;
use kit_tools::CommandLine;
use kit_workspace::{Author, Location};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::pieces::Pieces;
use crate::caller::{Caller, parse};
use crate::extensions::Extensions;
use crate::permit::{Permit, covers_host};
use crate::ports::{FetchError, FetchRequest};
use crate::sandbox::{Body, Failure, FailureCode, HostAnswer, Limits};

const FETCH: Duration = Duration::from_secs(30);
const COMMAND: Duration = Duration::from_secs(120);
/// The longest limit that an extension may name.
const LONGEST: Duration = Duration::from_mins(10);

fn limit(named: Option<u64>, default: Duration) -> Duration {
    named.map_or(default, Duration::from_millis).min(LONGEST)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureCode::Unavailable, error.to_string())
}

type Allowed = fn(&Permit, &Location, &std::path::Path) -> Result<(), Failure>;

/// The folder of the session that a call is about.
fn folder(hub: &Extensions, caller: &Caller, parameters: &str) -> PathBuf {
    let session = caller.session(hub, parameters);
    hub.known(session.as_ref()).map_or_else(|| hub.cwd(), |facts| facts.cwd)
}

/// The place that a path means, if the permit has it.
fn place(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
    path: &str,
    allowed: Allowed,
) -> Result<Location, Failure> {
    let cwd = folder(hub, caller, parameters);
    let located = hub.ports().workspace.resolve(&cwd, path);
    let location = located.map_err(|error| Failure::new(FailureCode::Invalid, error.to_string()))?;
    allowed(&caller.permit(), &location, &cwd)?;
    Ok(location)
}

pub(super) async fn read(hub: &Extensions, caller: &Caller, parameters: &str, body: Body) -> HostAnswer {
    let ReadFileParameters { path } = parse("fs.read", parameters)?;
    let location = place(hub, caller, parameters, &path, Permit::read)?;
    match body {
        Body::Text => {
            let snapshot = hub.ports().workspace.snapshot(&location).await.map_err(failed)?;
            if !snapshot.exists() {
                return Err(missing(&location));
            }
            let text = snapshot.text.to_string();
            Ok((answer(&ReadFileResult { text })?, Vec::new()))
        }
        Body::Bytes(_) => {
            let limit = Limits::default().payload;
            let bytes = blocking(move || {
                let size = std::fs::metadata(&location.real).map_err(failed)?.len();
                if size > u64::try_from(limit).unwrap_or(u64::MAX) {
                    let text = format!("{} has {size} bytes, {limit} is the limit", location.display);
                    return Err(Failure::new(FailureCode::Invalid, text));
                }
                std::fs::read(&location.real).map_err(failed)
            });
            Ok(("{}".to_owned(), bytes.await?))
        }
    }
}

fn missing(location: &Location) -> Failure {
    Failure::new(FailureCode::NotFound, format!("there is no file {}", location.display))
}

pub(super) async fn write(hub: &Extensions, caller: &Caller, parameters: &str, body: Body) -> HostAnswer {
    let WriteFileParameters { path, text } = parse("fs.write", parameters)?;
    let text = match body {
        Body::Text => text,
        Body::Bytes(bytes) => String::from_utf8(bytes)
            .map_err(|_| Failure::new(FailureCode::Invalid, "fs.write takes text in UTF-8"))?,
    };
    let location = place(hub, caller, parameters, &path, Permit::write)?;
    let attribution = Attribution {
        session: caller.session(hub, parameters).unwrap_or_else(SessionId::random),
        turn: hub.current_turn().unwrap_or_else(TurnId::random),
        agent: AgentId::from(format!("extension:{}", caller.name()).as_str()),
        tool_call_id: ToolCallId::from(hub.next_id("write").as_str()),
        title: format!("{}: write {}", caller.name(), location.display),
    };
    let title = attribution.title.clone();
    let plan = move |_before: &Text| Ok(Text::from(text.as_str()));
    let cancel = CancellationToken::new();
    let _cancelled_with_the_call = cancel.clone().drop_guard();
    let workspace = &hub.ports().workspace;
    let applied = workspace.edit(&location, Author::Agent(attribution), &title, &plan, &cancel).await;
    let applied = applied.map_err(failed)?;
    Ok((answer(&WriteFileResult { created: applied.created })?, Vec::new()))
}

pub(super) async fn list(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<FileEntry>, Failure> {
    let ListFilesParameters { path } = parse("fs.list", parameters)?;
    let location = place(hub, caller, parameters, &path, Permit::read)?;
    blocking(move || {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&location.real).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_or("other", |kind| kind_of(&kind));
            entries.push(FileEntry {
                name: entry.file_name().to_string_lossy().into_owned(),
                kind: kind.to_owned(),
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    })
    .await
}

fn kind_of(kind: &std::fs::FileType) -> &'static str {
    if kind.is_file() {
        "file"
    } else if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "link"
    } else {
        "other"
    }
}

pub(super) async fn stat(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<FileInfo, Failure> {
    let PathParameters { path } = parse("fs.stat", parameters)?;
    let location = place(hub, caller, parameters, &path, Permit::read)?;
    blocking(move || match std::fs::metadata(&location.real) {
        Ok(metadata) => {
            let modified = metadata.modified().ok();
            let since = modified.and_then(|modified| modified.duration_since(std::time::UNIX_EPOCH).ok());
            Ok(FileInfo {
                exists: true,
                kind: kind_of(&metadata.file_type()).to_owned(),
                size: metadata.len(),
                modified_ms: since
                    .and_then(|since| i64::try_from(since.as_millis()).ok())
                    .unwrap_or_default(),
            })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(FileInfo::default()),
        Err(error) => Err(failed(error)),
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|lost| Failure::new(FailureCode::Internal, lost.to_string()))?
}

pub(super) async fn fetch(hub: &Extensions, caller: &Caller, parameters: &str, body: Body) -> HostAnswer {
    let FetchParameters { url, method, headers, body: text, timeout_ms } = parse("http.fetch", parameters)?;
    let permit = caller.permit();
    permit.http()?;
    let wants_bytes = matches!(body, Body::Bytes(_));
    let body = match body {
        Body::Text => text.unwrap_or_default().into_bytes(),
        Body::Bytes(bytes) => bytes,
    };
    let granted = permit.hosts();
    let request = FetchRequest {
        url,
        method: method.unwrap_or_else(|| "GET".to_owned()),
        headers: headers.into_iter().collect(),
        body,
        timeout: limit(timeout_ms, FETCH),
        largest: Limits::default().payload,
        allowed: Arc::new(move |host, port, usual| covers_host(&granted, host, port, usual)),
    };
    let response = hub.ports().fetch.fetch(request).await.map_err(|error| {
        let code = match &error {
            FetchError::Denied(_) => FailureCode::Denied,
            FetchError::Invalid(_) => FailureCode::Invalid,
            FetchError::TimedOut(_) => FailureCode::Timeout,
            FetchError::Failed(_) => FailureCode::Unavailable,
        };
        Failure::new(code, error.to_string())
    })?;
    let mut result = FetchResult {
        status: response.status,
        headers: response.headers,
        body: String::new(),
        url: response.url,
    };
    if wants_bytes {
        return Ok((answer(&result)?, response.body));
    }
    result.body = String::from_utf8_lossy(&response.body).into_owned();
    Ok((answer(&result)?, Vec::new()))
}

pub(super) async fn run(
    hub: &Arc<Extensions>,
    caller: &Arc<Caller>,
    parameters: &str,
) -> Result<RunResult, Failure> {
    let RunParameters { command, cwd, timeout_ms, stream } = parse("exec.run", parameters)?;
    let root = folder(hub, caller, parameters);
    let cwd = match cwd {
        None => root.clone(),
        Some(path) => {
            let located = hub.ports().workspace.resolve(&root, &path);
            located.map_err(|error| Failure::new(FailureCode::Invalid, error.to_string()))?.real
        }
    };
    let session = caller.session(hub, parameters).unwrap_or_else(SessionId::random);
    caller.permit().command(&command, &cwd, &session)?;
    hub.check_rules(&session, &root, &command, &cwd)?;
    let line = CommandLine {
        command,
        cwd,
        timeout: limit(timeout_ms, COMMAND),
        private_variables: hub.ports().tool_settings.private_variables.clone(),
    };
    let pieces = Arc::new(Pieces::new(hub, caller, stream));
    let heard = Arc::clone(&pieces);
    let output = Arc::new(move |chunk: String, _is_stderr: bool| heard.add(&chunk));
    let cancel = CancellationToken::new();
    let _stopped_with_the_call = cancel.clone().drop_guard();
    let finished = kit_tools::run_command(line, output, cancel).await.map_err(failed);
    pieces.finish().await;
    let finished = finished?;
    Ok(RunResult {
        stdout: finished.stdout,
        stderr: finished.stderr,
        exit_code: finished.code.unwrap_or(-1),
        timed_out: finished.timed_out,
    })
}

pub(super) fn environment(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Option<String>, Failure> {
    let EnvironmentParameters { name } = parse("env.get", parameters)?;
    caller.permit().environment(&name)?;
    Ok((hub.ports().environment)(&name))
}

pub(super) async fn sleep(parameters: &str) -> Result<(), Failure> {
    let SleepParameters { ms } = parse("sleep", parameters)?;
    tokio::time::sleep(Duration::from_millis(ms).min(LONGEST)).await;
    Ok(())
}

/// The front matter of a skill is the business of the session; here it is its text.
async fn skill_at(hub: &Extensions, location: Location) -> Result<Skill, Failure> {
    let snapshot = hub.ports().workspace.snapshot(&location).await.map_err(failed)?;
    if !snapshot.exists() {
        return Err(missing(&location));
    }
    let content = snapshot.text.to_string();
    let field = |name: &str| {
        let front =
            content.strip_prefix("---").and_then(|rest| rest.split("\n---").next()).unwrap_or_default();
        let line = front.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
        line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    let folder = location.path.parent().and_then(|folder| folder.file_name());
    let named = field("name").or_else(|| folder.map(|name| name.to_string_lossy().into_owned()));
    Ok(Skill {
        name: named.unwrap_or_default(),
        description: field("description").unwrap_or_default(),
        path: location.path.to_string_lossy().into_owned(),
        content: Some(content),
    })
}

pub(super) async fn load_skill(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Skill, Failure> {
    let PathParameters { path } = parse("loadSkill", parameters)?;
    skill_at(hub, place(hub, caller, parameters, &path, Permit::read)?).await
}

pub(super) async fn load_skills(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<Skill>, Failure> {
    let PathParameters { path } = parse("loadSkillsFromDir", parameters)?;
    let location = place(hub, caller, parameters, &path, Permit::read)?;
    let files = blocking(move || {
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&location.real).map_err(failed)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                files.push(path.join("SKILL.md"));
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
        files.retain(|file| file.is_file());
        files.sort();
        Ok(files)
    })
    .await?;
    let mut skills = Vec::new();
    for file in files {
        skills.push(
            skill_at(hub, place(hub, caller, parameters, &file.to_string_lossy(), Permit::read)?).await?,
        );
    }
    Ok(skills)
}

pub(super) async fn inject_skill(
    hub: &Arc<Extensions>,
    caller: &Caller,
    parameters: &str,
) -> Result<(), Failure> {
    let PathParameters { path } = parse("injectRawSkillAsContext", parameters)?;
    let skill = skill_at(hub, place(hub, caller, parameters, &path, Permit::read)?).await?;
    let text = format!(
        "<skill name=\"{}\" location=\"{}\">\n{}\n</skill>",
        skill.name,
        skill.path,
        skill.content.unwrap_or_default().trim()
    );
    super::sessions::prompt_later(hub, caller.session(hub, parameters), super::sessions::text_only(text))
}
