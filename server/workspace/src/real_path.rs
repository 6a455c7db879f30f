//! The path behind all symbolic links, also for what does not exist yet.
//!
//! The nearest existing ancestor is canonicalized by the system and the rest is appended to it, with `..` resolved
//! lexically there. A link whose target does not exist is followed by hand, so that a file made through it is seen
//! where it would really come to lie (I18).

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Links that are followed by hand; the limit of Linux.
const MAX_LINKS: u32 = 40;
/// Longer paths are refused: no system has them, and each component costs a look at the disk.
const MAX_PATH_BYTES: usize = 4096;

/// Resolves an absolute path.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.len() > MAX_PATH_BYTES {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    if bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    resolve(path, MAX_LINKS)
}

fn resolve(path: &Path, links: u32) -> io::Result<PathBuf> {
    // Whatever stops the system, such as a missing or unreadable directory, the ancestors may be clear.
    if let Ok(real) = fs::canonicalize(path) {
        return Ok(without_verbatim_prefix(real));
    }
    let Some(parent) = path.parent() else { return Ok(path.to_path_buf()) };
    if let Ok(target) = fs::read_link(path) {
        let links = links.checked_sub(1).ok_or_else(|| io::Error::other("too many symbolic links"))?;
        return resolve(&parent.join(target), links);
    }
    let mut real = resolve(parent, links)?;
    match path.components().next_back() {
        Some(Component::Normal(name)) => real.push(name),
        Some(Component::ParentDir) => {
            real.pop();
        }
        Some(Component::CurDir | Component::RootDir | Component::Prefix(_)) | None => {}
    }
    Ok(real)
}

/// `\\?\C:\x` is `C:\x`, and `\\?\UNC\server\share` is `\\server\share`.
fn without_verbatim_prefix(path: PathBuf) -> PathBuf {
    if cfg!(not(windows)) {
        return path;
    }
    let Some(rest) = path.to_str().and_then(|text| text.strip_prefix(r"\\?\")) else { return path };
    match rest.strip_prefix(r"UNC\") {
        Some(share) => PathBuf::from(format!(r"\\{share}")),
        None => PathBuf::from(rest),
    }
}

/// Resolves `.` and `..` by the text of the path alone.
pub(crate) fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(component),
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
        }
    }
    normal
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_does_not_exist_lies_below_its_nearest_real_ancestor() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("real/deep")).unwrap();
        symlink(top.join("real/deep"), top.join("link")).unwrap();
        symlink(top.join("nowhere/file"), top.join("dangling")).unwrap();
        symlink("dangling", top.join("again")).unwrap();
        let check = |path: &str, expected: &str| {
            assert_eq!(real_path(&top.join(path)).unwrap(), top.join(expected), "{path}");
        };
        check("link/new/file", "real/deep/new/file");
        check("link/../new", "real/new");
        check("absent/../other/./file", "other/file");
        check("dangling", "nowhere/file");
        check("again", "nowhere/file");
    }

    #[test]
    fn loops_and_unusable_paths_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        let endless = real_path(&directory.path().join("a")).unwrap_err();
        assert_eq!(endless.to_string(), "too many symbolic links");
        assert_eq!(real_path(Path::new("/a\0b")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let long = format!("/{}", "a/".repeat(100_000));
        assert_eq!(real_path(Path::new(&long)).unwrap_err().kind(), io::ErrorKind::InvalidFilename);
    }
}
