//! `kit-ls extensions install`, `update` and `remove`.
//!
//! Nothing is enabled before the user has seen what it asks for: extensions are fetched into a temporary folder, loaded
//! there in the sandbox, shown, and copied to where Kit finds them only then, together with the grant for exactly this
//! content. A git source is fixed at the commit that was fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use kit_extension::discover;
use tempfile::TempDir;

use super::inspect::{Inspected, Wrong, engine, inspect};
use super::packages::{Package, Packages, delete, now};
use super::{Place, agrees, grant, say};

/// Where extensions lie in a repository, beside its root.
const FOLDERS: [&str; 5] = ["", "extensions", ".kit/extensions", "examples/extensions", "ext"];
/// What is not copied with an extension's folder.
const LEFT_OUT: [&str; 3] = [".git", "node_modules", "target"];
/// Names of main files of folders, which say nothing about the extension.
const MAIN: [&str; 4] = ["main.js", "main.ts", "main.mjs", "extension.wasm"];

/// Fetched sources.
struct Fetched {
    root: PathBuf,
    commit: Option<String>,
    /// Keeps the clone as long as it is looked at.
    _clone: Option<TempDir>,
}

/// Installs what a source has.
pub(super) async fn run(place: &Place, source: &str, local: bool, yes: bool) -> anyhow::Result<i32> {
    let (source, reference) = split(place, source);
    // What is for this project stays as it is written, for everybody who has the project; what is for all projects is
    // found from each of them.
    let source = if local { source } else { absolute(place, &source).unwrap_or(source) };
    let folder = if local { place.project() } else { place.own() };
    let mut packages = Packages::read(&folder)?;
    if packages.packages.iter().any(|package| package.source == source) {
        bail!("{source} is installed already; `kit-ls extensions update {source}` fetches it again");
    }
    let fetched = fetch(place, &source, reference.as_deref())?;
    let extensions = load(place, &fetched.root).await?;
    extensions.iter().try_for_each(grant::show)?;
    if !yes && !agrees(&format!("Install {} into {} and grant this?", names(&extensions), folder.display()))?
    {
        say("Nothing was installed.")?;
        return Ok(1);
    }
    let installed = put(place, &folder, &extensions, &[])?;
    packages.packages.push(Package {
        source,
        reference,
        commit: fetched.commit.clone(),
        extensions: installed,
        installed: now(),
        updated: now(),
    });
    packages.write(&folder)?;
    let commit = fetched.commit.map(|commit| format!(" at {}", short(&commit))).unwrap_or_default();
    say(&format!("Installed {}{commit}.", names(&extensions)))?;
    Ok(0)
}

/// Fetches again what is not fixed.
pub(super) async fn update(place: &Place, source: Option<&str>, yes: bool) -> anyhow::Result<i32> {
    let mut any = false;
    for folder in [place.own(), place.project()] {
        let mut packages = Packages::read(&folder)?;
        let wanted = source.map(|source| find(place, &packages, source));
        if let Some(None) = wanted {
            continue;
        }
        for at in 0..packages.packages.len() {
            if wanted.flatten().is_some_and(|wanted| wanted != at) {
                continue;
            }
            let Some(package) = packages.packages.get(at).cloned() else { continue };
            any = true;
            if let Some(updated) = renewed(place, &folder, &package, yes).await? {
                if let Some(slot) = packages.packages.get_mut(at) {
                    *slot = updated;
                }
                packages.write(&folder)?;
            }
        }
    }
    match source {
        Some(source) if !any => bail!("nothing was installed from {source}"),
        Some(_) | None => {
            if !any {
                say("Nothing was installed.")?;
            }
            Ok(0)
        }
    }
}

/// The package after an update, if there was one.
async fn renewed(
    place: &Place,
    folder: &Path,
    package: &Package,
    yes: bool,
) -> anyhow::Result<Option<Package>> {
    let Package { source, .. } = package;
    if let Some(reference) = &package.reference {
        say(&format!("{source} stays at {reference}."))?;
        return Ok(None);
    }
    let fetched = fetch(place, source, None)?;
    if fetched.commit.is_some() && fetched.commit == package.commit {
        say(&format!("{source} is current."))?;
        return Ok(None);
    }
    let extensions = load(place, &fetched.root).await?;
    extensions.iter().try_for_each(grant::show)?;
    if !yes && !agrees(&format!("Update {} and grant this?", names(&extensions)))? {
        return Ok(None);
    }
    let installed = put(place, folder, &extensions, &package.extensions)?;
    let gone: Vec<String> =
        package.extensions.iter().filter(|name| !installed.contains(name)).cloned().collect();
    delete(folder, &gone)?;
    say(&format!("Updated {}.", names(&extensions)))?;
    if !gone.is_empty() {
        say(&format!("Removed {}, which {source} does not have any more.", gone.join(", ")))?;
    }
    Ok(Some(Package { commit: fetched.commit, extensions: installed, updated: now(), ..package.clone() }))
}

/// Removes what a source installed.
pub(super) fn remove(place: &Place, source: &str) -> anyhow::Result<i32> {
    for folder in [place.project(), place.own()] {
        let mut packages = Packages::read(&folder)?;
        if let Some(at) = find(place, &packages, source) {
            let package = packages.packages.remove(at);
            delete(&folder, &package.extensions)?;
            packages.write(&folder)?;
            say(&format!("Removed {}.", package.extensions.join(", ")))?;
            return Ok(0);
        }
    }
    bail!("nothing was installed from {source}; an extension of your own is a file to delete")
}

/// A source that is a folder or file, from the root.
fn absolute(place: &Place, source: &str) -> Option<String> {
    if source.trim().is_empty() {
        return None;
    }
    let path = place.cwd.join(source).canonicalize().ok()?;
    Some(path.to_string_lossy().into_owned())
}

/// What was installed from a source, however its folder is written now.
fn find(place: &Place, packages: &Packages, source: &str) -> Option<usize> {
    packages.find(source).or_else(|| packages.find(&absolute(place, source)?))
}

/// The source and the reference behind `@`, which neither a user name nor an existing path is taken for.
fn split(place: &Place, text: &str) -> (String, Option<String>) {
    if place.cwd.join(text).exists() {
        return (text.to_owned(), None);
    }
    match text.rsplit_once('@') {
        Some((source, reference)) if !reference.contains(['/', ':']) && !source.is_empty() => {
            (source.to_owned(), Some(reference.to_owned()))
        }
        Some(_) | None => (text.to_owned(), None),
    }
}

/// The address for git.
fn address(source: &str) -> String {
    let source = source.strip_prefix("git:").unwrap_or(source);
    if source.contains("://") || source.starts_with("git@") || Path::new(source).is_absolute() {
        return source.to_owned();
    }
    format!("https://{source}")
}

fn fetch(place: &Place, source: &str, reference: Option<&str>) -> anyhow::Result<Fetched> {
    if source.trim().is_empty() {
        bail!("a source is a git address, github.com/OWNER/REPOSITORY, or a folder or file");
    }
    if reference.is_some_and(str::is_empty) {
        bail!("a tag, branch or commit stands behind the @ of {source}@");
    }
    let local = place.cwd.join(source);
    if !local.exists() && (source.starts_with('.') || Path::new(source).is_absolute()) {
        bail!("there is no folder or file {source}");
    }
    if local.exists() && reference.is_none() && !source.starts_with("git:") {
        let root = local.canonicalize().with_context(|| format!("cannot read {source}"))?;
        return Ok(Fetched { root, commit: None, _clone: None });
    }
    let clone = TempDir::new()?;
    let root = clone.path().join("source");
    let target = root.to_string_lossy().into_owned();
    let address = if local.exists() { local.to_string_lossy().into_owned() } else { address(source) };
    let is_commit =
        |reference: &str| reference.len() >= 7 && reference.chars().all(|c| c.is_ascii_hexdigit());
    let clone_with =
        |options: &[&str]| git(&[&["clone", "--quiet"], options, &["--", &address, &target]].concat());
    let fetched = match reference {
        Some(commit) if is_commit(commit) => {
            clone_with(&[]).and_then(|_said| git(&["-C", &target, "checkout", "--quiet", "--detach", commit]))
        }
        Some(named) => clone_with(&["--depth", "1", "--branch", named]),
        None => clone_with(&["--depth", "1"]),
    };
    if let Err(error) = fetched {
        let said = error.to_string();
        match reference {
            // Git has its own words for each kind of reference, and none that name it.
            Some(reference) if said.contains("Remote branch") || root.exists() => {
                bail!("{source} has no tag, branch or commit {reference}")
            }
            Some(_) | None => bail!("{source} cannot be fetched: {}", said.trim_start_matches("fatal: ")),
        }
    }
    let commit = git(&["-C", &target, "rev-parse", "HEAD"])?;
    Ok(Fetched { root, commit: Some(commit.trim().to_owned()), _clone: Some(clone) })
}

/// Runs git without hooks and without questions.
fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .context("git cannot be run; install it, or give a folder")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        // What comes behind the reason is advice.
        let reason = said.lines().find(|line| line.starts_with("fatal:"));
        bail!("{}", reason.or(said.lines().last()).unwrap_or("git failed").trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The extensions of a source that load. Other scripts may lie beside them, so those that do not are named and skipped.
async fn load(place: &Place, root: &Path) -> anyhow::Result<Vec<Inspected>> {
    let folders: Vec<PathBuf> =
        if root.is_dir() { FOLDERS.iter().map(|folder| root.join(folder)).collect() } else { Vec::new() };
    let alone = discover(&[], &[root.to_path_buf()]);
    let is_extension = root.is_file() || MAIN.iter().any(|main| root.join(main).is_file());
    let found = if is_extension { alone } else { discover(&folders, &[]) };
    let engine = engine(place);
    let mut extensions = Vec::new();
    for path in &found {
        match inspect(&engine, path).await {
            Ok(extension) => extensions.push(extension),
            Err(wrong) => {
                let path = wrong.path.strip_prefix(root).unwrap_or(&wrong.path).to_path_buf();
                say(&format!("skipped: {}", Wrong { path, ..wrong }.line(place)))?;
            }
        }
    }
    if extensions.is_empty() {
        bail!("there is no extension in {}", root.display());
    }
    Ok(extensions)
}

/// Copies extensions into a folder of Kit and grants what they ask for; `own` are names that may be replaced.
fn put(
    place: &Place,
    folder: &Path,
    extensions: &[Inspected],
    own: &[String],
) -> anyhow::Result<Vec<String>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let named = |extension: &Inspected| {
        let file = extension.source.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_folder = MAIN.contains(&file.as_str());
        let name = if is_folder { extension.source.name.clone() } else { file.clone() };
        (file, is_folder, name)
    };
    for (_, _, name) in extensions.iter().map(named) {
        let target = folder.join(&name);
        if target.exists() && !own.contains(&name) {
            bail!("{} is there already; remove it first", target.display());
        }
    }
    let mut installed = Vec::new();
    for extension in extensions {
        let main = &extension.source.path;
        let (file, is_folder, name) = named(extension);
        let target = folder.join(&name);
        let copied = if is_folder {
            if target.exists() {
                fs::remove_dir_all(&target)?;
            }
            copy_folder(main.parent().unwrap_or(main), &target).map(|()| target.join(&file))
        } else {
            fs::copy(main, &target).map(|_bytes| target.clone())
        };
        let copied = copied.with_context(|| format!("cannot write {}", target.display()))?;
        let manifest = main.with_extension("json");
        if !is_folder && file.ends_with(".wasm") && manifest.is_file() {
            let name = manifest.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fs::copy(&manifest, folder.join(&name))?;
            installed.push(name);
        }
        grant::store(place, &copied, extension, extension.asks())?;
        installed.push(name);
    }
    Ok(installed)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &to.join(name))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

fn names(extensions: &[Inspected]) -> String {
    extensions.iter().map(Inspected::name).collect::<Vec<_>>().join(", ")
}

fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_what_stands_behind_the_last_at_sign() {
        let folder = TempDir::new().unwrap();
        let place =
            Place { paths: kit_workspace::Paths::below(folder.path()), cwd: folder.path().to_path_buf() };
        let parts = |text: &str| split(&place, text);
        let owned = |source: &str, reference: Option<&str>| (source.to_owned(), reference.map(str::to_owned));
        assert_eq!(parts("github.com/a/b@v1.2"), owned("github.com/a/b", Some("v1.2")));
        assert_eq!(parts("git@host:a/b"), owned("git@host:a/b", None));
        assert_eq!(parts("git@host:a/b@main"), owned("git@host:a/b", Some("main")));
        fs::write(folder.path().join("x@2"), "").unwrap();
        assert_eq!(parts("x@2"), owned("x@2", None));
        assert_eq!(address("github.com/a/b"), "https://github.com/a/b");
        assert_eq!(address("git:ssh://host/a"), "ssh://host/a");
    }
}
