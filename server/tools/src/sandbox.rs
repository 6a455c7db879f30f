//! Shell commands that may run unasked: they can write only where the agent may, and cannot read credentials.
//!
//! On Linux the kernel's Landlock does it, without privileges. The server starts *itself* again as a helper
//! (`kit-ls sandbox-exec --write DIR … --hide PATH … -- PROGRAM ARG …`), the helper restricts itself and then becomes
//! the program; whatever that starts inherits the restriction and cannot lift it. So no code runs between fork and exec
//! in the server. The rules: everything can be read and executed but the hidden paths; files can be written, created,
//! renamed and deleted beneath the writable folders; processes outside cannot be signalled. The network is *not*
//! restricted, and neither are Unix sockets that have a path (a Docker daemon, for example).
//!
//! A kernel that cannot keep all of that (before 6.2, or Landlock switched off) has no sandbox: [`status`] says so, and
//! commands that would have run in it ask instead.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The argument that makes the binary the helper.
pub const HELPER_ARGUMENT: &str = "sandbox-exec";

/// Whether this machine can confine commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SandboxStatus {
    /// It can.
    Available,
    /// It cannot; the text says why.
    Unavailable(String),
}

impl std::fmt::Display for SandboxStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Available => formatter.write_str("sandboxed"),
            Self::Unavailable(why) => write!(formatter, "not available: {why}"),
        }
    }
}

/// How commands are confined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// The binary that calls [`run_helper`].
    pub helper: PathBuf,
    /// Folders that commands may write beside the workspace and the system's folder for temporary files.
    pub writable: Vec<PathBuf>,
    /// Files and folders that commands must not read, such as the one with credentials.
    pub hidden: Vec<PathBuf>,
}

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confined {
    /// The helper.
    pub program: PathBuf,
    /// Its arguments, which end with the confined program and its own.
    pub arguments: Vec<OsString>,
}

/// The helper could not run the program.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// The arguments are not what [`command`] makes.
    #[error("sandbox: {0}")]
    Arguments(&'static str),
    /// The kernel refused the restriction.
    #[error("sandbox: commands cannot be confined: {0}")]
    Restrict(String),
    /// The program could not be started.
    #[error("{}: {error}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

/// Whether this machine can confine commands; asked of the kernel once.
pub fn status() -> &'static SandboxStatus {
    static STATUS: std::sync::OnceLock<SandboxStatus> = std::sync::OnceLock::new();
    STATUS.get_or_init(platform::probe)
}

/// Why the sandbox cannot hide what it must hide in these roots, or `None` if it can.
///
/// Rights are granted beneath folders and cannot be taken back further down, so a root must not hold a hidden path.
pub fn obstacle(sandbox: &Sandbox, roots: &[PathBuf]) -> Option<String> {
    if let SandboxStatus::Unavailable(why) = status() {
        return Some(why.clone());
    }
    let writable: Vec<PathBuf> = roots.iter().chain(&sandbox.writable).map(|path| canonical(path)).collect();
    let hidden = sandbox.hidden.iter().map(|path| canonical(path));
    hidden
        .filter(|hidden| writable.iter().any(|folder| hidden.starts_with(folder)))
        .map(|hidden| format!("{} lies inside the workspace and must stay hidden", hidden.display()))
        .next()
}

/// The program confined to the roots.
pub fn command(sandbox: &Sandbox, roots: &[PathBuf], program: &Path, arguments: Vec<OsString>) -> Confined {
    let mut all = vec![OsString::from(HELPER_ARGUMENT)];
    for folder in roots.iter().chain(&sandbox.writable).chain([&std::env::temp_dir()]) {
        all.extend([OsString::from("--write"), folder.into()]);
    }
    for path in &sandbox.hidden {
        all.extend([OsString::from("--hide"), path.into()]);
    }
    all.extend([OsString::from("--"), program.into()]);
    all.extend(arguments);
    Confined { program: sandbox.helper.clone(), arguments: all }
}

/// Restricts this process and becomes the program; returns only if that fails.
///
/// The arguments are those after [`HELPER_ARGUMENT`]. The caller's `main` must not have started any other thread.
pub fn run_helper(arguments: impl IntoIterator<Item = OsString>) -> HelperError {
    match parse(arguments) {
        Ok(request) => platform::exec(request),
        Err(error) => error,
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    writable: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
    program: PathBuf,
    arguments: Vec<OsString>,
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, HelperError> {
    let mut arguments = arguments.into_iter();
    let mut request = Request::default();
    loop {
        let option = arguments.next().ok_or(HelperError::Arguments("`--` and a program are missing"))?;
        if option == "--" {
            break;
        }
        let value = arguments.next().ok_or(HelperError::Arguments("an option has no value"))?;
        match option.to_str() {
            Some("--write") => request.writable.push(value.into()),
            Some("--hide") => request.hidden.push(value.into()),
            Some(_) | None => return Err(HelperError::Arguments("unknown option")),
        }
    }
    request.program = arguments.next().ok_or(HelperError::Arguments("no program after `--`"))?.into();
    request.arguments = arguments.collect();
    Ok(request)
}

/// The path without symbolic links as far as it exists.
fn canonical(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

#[cfg(target_os = "linux")]
mod platform {
    use std::os::unix::process::CommandExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use landlock::{
        ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetError, RulesetStatus, Scope, path_beneath_rules,
    };

    use super::{HelperError, Request, SandboxStatus, canonical};

    /// The first version that also guards truncation, without which any file could be emptied.
    const NEEDED: ABI = ABI::V3;

    /// The version whose further rights are used where the kernel has them.
    const WANTED: ABI = ABI::V5;

    /// Devices that programs write as a matter of course.
    const DEVICES: [&str; 9] = [
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/dev/tty",
        "/dev/ptmx",
        "/dev/pts",
        "/dev/shm",
    ];

    pub(super) fn probe() -> SandboxStatus {
        let created = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(NEEDED))
            .and_then(Ruleset::create);
        match created {
            Ok(_) => SandboxStatus::Available,
            Err(_) => SandboxStatus::Unavailable(
                "this kernel has no Landlock of version 3 or later (Linux 6.2, enabled at boot)".to_owned(),
            ),
        }
    }

    pub(super) fn exec(request: Request) -> HelperError {
        match restrict(&request) {
            Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => {}
            Ok(RulesetStatus::NotEnforced) => {
                return HelperError::Restrict("no Landlock in this kernel".to_owned());
            }
            Err(error) => return HelperError::Restrict(error.to_string()),
        }
        let error = Command::new(&request.program).args(&request.arguments).exec();
        HelperError::Start { program: request.program, error }
    }

    fn restrict(request: &Request) -> Result<RulesetStatus, RulesetError> {
        let read = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
        let write: BitFlags<AccessFs> = AccessFs::from_all(WANTED);
        let hidden: Vec<PathBuf> = request.hidden.iter().map(|path| canonical(path)).collect();
        let mut readable = Vec::new();
        collect_readable(Path::new("/"), &hidden, &mut readable);
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(NEEDED))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(WANTED))?
            .scope(Scope::Signal)?
            .scope(Scope::AbstractUnixSocket)?
            .create()?
            // Names of files are no secret; without this no folder above a hidden path could be listed.
            .add_rules(path_beneath_rules(["/"], AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(readable, read))?
            .add_rules(path_beneath_rules(DEVICES, write))?
            .add_rules(path_beneath_rules(&request.writable, write))?
            .restrict_self()?;
        Ok(status.ruleset)
    }

    /// The largest trees that hold no hidden path. Links are left out: what they lead to is listed where it lies.
    fn collect_readable(folder: &Path, hidden: &[PathBuf], readable: &mut Vec<PathBuf>) {
        if !hidden.iter().any(|path| path.starts_with(folder)) {
            return readable.push(folder.to_owned());
        }
        let Ok(entries) = folder.read_dir() else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            if !hidden.contains(&path) && entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
                collect_readable(&path, hidden, readable);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{HelperError, Request, SandboxStatus};

    const REASON: &str = "commands are confined on Linux only";

    pub(super) fn probe() -> SandboxStatus {
        SandboxStatus::Unavailable(REASON.to_owned())
    }

    pub(super) fn exec(_request: Request) -> HelperError {
        HelperError::Restrict(REASON.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox() -> Sandbox {
        Sandbox {
            helper: PathBuf::from("/opt/kit-ls"),
            writable: vec![PathBuf::from("/cache")],
            hidden: vec![PathBuf::from("/home/u/.config/kit")],
        }
    }

    #[test]
    fn the_helper_reads_what_the_server_writes() {
        let confined = command(
            &sandbox(),
            &[PathBuf::from("/work")],
            Path::new("/bin/bash"),
            vec!["-c".into(), "echo --".into()],
        );
        assert_eq!(confined.program, PathBuf::from("/opt/kit-ls"));
        let mut arguments = confined.arguments.into_iter();
        assert_eq!(arguments.next(), Some(HELPER_ARGUMENT.into()));
        let request = parse(arguments).unwrap();
        assert_eq!(
            request,
            Request {
                writable: vec!["/work".into(), "/cache".into(), std::env::temp_dir()],
                hidden: vec!["/home/u/.config/kit".into()],
                program: "/bin/bash".into(),
                arguments: vec!["-c".into(), "echo --".into()],
            }
        );
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for arguments in [vec![], vec!["--write"], vec!["--"], vec!["--open", "x", "--", "sh"]] {
            assert!(parse(arguments.iter().map(OsString::from)).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn a_root_around_hidden_files_is_an_obstacle() {
        let why = obstacle(&sandbox(), &[PathBuf::from("/home/u")]);
        assert!(why.is_some(), "the credentials could be read through the root");
    }
}
