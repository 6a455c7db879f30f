//! What an extension may reach, decided for each request.
//!
//! Nothing is allowed that was not granted. Hosts are compared by name, with `*.` for all below; commands by the same
//! patterns and parser as permission rules, so every part of a chain must be covered; paths on their real form, so that
//! links lead nowhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use kit_contract::Permissions;
use kit_protocol::{Mode, PermissionRules, SessionId, ToolKind};
use kit_tools::{Access, Call, Decision, Policy, RuleLayer};
use kit_workspace::{Location, Paths};

use crate::sandbox::{Failure, FailureCode};

/// What an extension may reach.
pub(crate) struct Permit {
    permissions: Permissions,
    commands: Policy,
    read: Vec<PathPattern>,
    write: Vec<PathPattern>,
}

struct PathPattern {
    path: String,
    glob: Option<GlobMatcher>,
}

impl Permit {
    /// A permit for what was granted. What cannot be read grants nothing.
    pub(crate) fn new(permissions: Permissions) -> Self {
        let rule = |pattern: &String| {
            let pattern = pattern.trim();
            // A pattern without an ending means exactly these words, as in permission rules.
            if pattern == "*" { "Bash".to_owned() } else { format!("Bash({pattern})") }
        };
        let rules = PermissionRules {
            allow: permissions.exec.iter().map(rule).collect(),
            ..PermissionRules::default()
        };
        let layer = RuleLayer { origin: "grant".to_owned(), project: None, rules };
        // The rules of the user have their own policy; this one knows the grant alone.
        let nowhere = Paths::below(Path::new("/nonexistent/kit"));
        let patterns = |texts: &[String]| texts.iter().map(|text| PathPattern::new(text)).collect();
        Self {
            commands: Policy::new(&nowhere, &[layer]),
            read: patterns(&permissions.fs.read),
            write: patterns(&permissions.fs.write),
            permissions,
        }
    }

    /// Whether an environment variable may be read.
    pub(crate) fn environment(&self, name: &str) -> Result<(), Failure> {
        allow(self.permissions.env.iter().any(|granted| granted == name), || {
            (format!("env.get of {name}"), format!("env: [\"{name}\"]"))
        })
    }

    /// Which hosts requests may go to.
    pub(crate) fn hosts(&self) -> Vec<String> {
        self.permissions.http.clone()
    }

    /// Whether requests may go anywhere at all.
    pub(crate) fn http(&self) -> Result<(), Failure> {
        allow(!self.permissions.http.is_empty(), || ("http.fetch".to_owned(), "http: [\"HOST\"]".to_owned()))
    }

    /// Whether a command may run.
    pub(crate) fn command(&self, command: &str, cwd: &Path, session: &SessionId) -> Result<(), Failure> {
        let access = Access::Execute { command: command.to_owned(), cwd: cwd.to_path_buf() };
        let call = Call {
            session,
            worker: session,
            mode: Mode::Ask,
            root: cwd,
            roots: &[],
            tool: "bash",
            kind: ToolKind::Execute,
            access: &access,
            unconfined: Some("it belongs to an extension"),
        };
        let covered = !self.permissions.exec.is_empty()
            && matches!(self.commands.decide(&call), Decision::Allow { .. });
        allow(covered, || (format!("exec.run of `{command}`"), format!("exec: [\"{command}\"]")))
    }

    /// Whether a path may be read.
    pub(crate) fn read(&self, location: &Location, cwd: &Path) -> Result<(), Failure> {
        allow(covers(&self.read, location, cwd), || {
            (format!("reading {}", location.display), format!("fs: {{ read: [\"{}\"] }}", location.display))
        })
    }

    /// Whether a path may be written.
    pub(crate) fn write(&self, location: &Location, cwd: &Path) -> Result<(), Failure> {
        allow(covers(&self.write, location, cwd), || {
            (format!("writing {}", location.display), format!("fs: {{ write: [\"{}\"] }}", location.display))
        })
    }
}

fn allow(allowed: bool, what: impl FnOnce() -> (String, String)) -> Result<(), Failure> {
    if allowed {
        return Ok(());
    }
    let (what, permission) = what();
    let text = format!(
        "{what} was not granted; the extension must ask for it by the permission {permission}, and its user grant that"
    );
    Err(Failure::new(FailureCode::Denied, text))
}

/// Whether a host and port are among those that are granted.
pub fn covers_host(granted: &[String], host: &str, port: u16, usual_port: bool) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    granted.iter().any(|pattern| {
        let pattern = pattern.trim().to_ascii_lowercase();
        let (name, wanted) = match pattern.rsplit_once(':').map(|(name, port)| (name, port.parse::<u16>())) {
            Some((name, Ok(port))) => (name.to_owned(), Some(port)),
            Some((_, Err(_))) | None => (pattern, None),
        };
        let named = match name.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
            None => name == "*" || name == host,
        };
        named && wanted.map_or(usual_port, |wanted| wanted == port)
    })
}

impl PathPattern {
    fn new(text: &str) -> Self {
        let text = text.trim().trim_start_matches("./");
        let path = match text.trim_end_matches('/') {
            "" if text.starts_with('/') => "/".to_owned(),
            "" => ".".to_owned(),
            path => path.to_owned(),
        };
        let has_glob = path.contains(['*', '?', '[', '{']);
        let glob = has_glob
            .then(|| {
                GlobBuilder::new(&path)
                    .literal_separator(true)
                    .build()
                    .ok()
                    .map(|glob| glob.compile_matcher())
            })
            .flatten();
        Self { path, glob }
    }

    fn covers(&self, location: &Location, cwd: &Path) -> bool {
        let cwd = cwd.canonicalize().unwrap_or_else(|_| cwd.to_path_buf());
        if let Some(glob) = &self.glob {
            // One that begins in the session's folder ends in it: `**` is all of that, and nothing outside.
            return match location.real.strip_prefix(&cwd) {
                Ok(relative) if !self.path.starts_with('/') => glob.is_match(relative),
                Ok(_) | Err(_) => self.path.starts_with('/') && glob.is_match(&location.real),
            };
        }
        // A pattern with a wrong glob has none, and names no path either.
        if self.path.contains(['*', '?', '[', '{']) {
            return false;
        }
        let granted = match self.path.strip_prefix("~/") {
            Some(rest) => std::env::home_dir().map(|home| home.join(rest)),
            None => Some(cwd.join(&self.path)),
        };
        granted.map(real).is_some_and(|granted| location.real.starts_with(granted))
    }
}

/// A path without links, as far as it exists.
fn real(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

fn covers(patterns: &[PathPattern], location: &Location, cwd: &Path) -> bool {
    patterns.iter().any(|pattern| pattern.covers(location, cwd))
}

/// A shared permit that is replaced when the user decides.
pub(crate) type SharedPermit = std::sync::RwLock<Arc<Permit>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(permissions: serde_json::Value) -> Permit {
        Permit::new(serde_json::from_value(permissions).unwrap())
    }

    #[test]
    fn hosts_are_compared_by_name_and_port() {
        let granted = ["api.example.com", "*.example.org", "localhost:8080"].map(str::to_owned);
        let covered = |host: &str, port: u16, usual: bool| covers_host(&granted, host, port, usual);
        assert!(covered("api.example.com", 443, true) && covered("API.example.com.", 443, true));
        assert!(covered("a.b.example.org", 443, true) && covered("localhost", 8080, false));
        assert!(!covered("api.example.com", 8443, false) && !covered("localhost", 80, true));
        assert!(!covered("example.org", 443, true) && !covered("evilexample.org", 443, true));
        assert!(!covered("api.example.com.evil.net", 443, true));
    }

    #[test]
    fn every_part_of_a_command_must_be_granted() {
        let permit = permit(serde_json::json!({ "exec": ["git *", "cargo test"] }));
        let session = SessionId::from("s");
        let runs = |command: &str| permit.command(command, Path::new("/tmp"), &session).is_ok();
        assert!(runs("git status") && runs("git log | git cat-file -p HEAD") && runs("cargo test"));
        for command in [
            "rm -rf x",
            "git status; rm x",
            "git status && touch x",
            "cargo test --all",
            "git log $(touch x)",
        ] {
            assert!(!runs(command), "{command}");
        }
        assert!(Permit::new(Permissions::default()).command("ls", Path::new("/tmp"), &session).is_err());
    }

    #[test]
    fn a_glob_that_begins_in_the_folder_ends_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().canonicalize().unwrap();
        let covers = |pattern: &str, path: &str| {
            let real = PathBuf::from(format!("{}/{path}", cwd.display()));
            let location = Location {
                uri: kit_workspace::DocumentUri::from_path(&real),
                path: real.clone(),
                real,
                display: path.to_owned(),
                inside: true,
                root: None,
            };
            let outside = Location { real: PathBuf::from("/elsewhere/a.md"), ..location.clone() };
            let patterns = [PathPattern::new(pattern)];
            (super::covers(&patterns, &location, &cwd), super::covers(&patterns, &outside, &cwd))
        };
        assert_eq!(covers("**", "docs/a.md"), (true, false));
        assert_eq!(covers("**/*.md", "docs/a.md"), (true, false));
        assert_eq!(covers("docs/", "docs/a.md"), (true, false));
        assert_eq!(covers("./", "docs/a.md"), (true, false));
        assert_eq!(covers("/elsewhere/*.md", "docs/a.md"), (false, true));
        assert_eq!(covers("/", "docs/a.md"), (true, true));
        assert_eq!(covers("[", "docs/a.md"), (false, false));
    }

    #[test]
    fn only_named_variables_are_read() {
        let permit = permit(serde_json::json!({ "env": ["HOME"] }));
        assert!(permit.environment("HOME").is_ok() && permit.environment("PATH").is_err());
    }
}
