//! Writing a file so that another process sees the old one or the new one and never a part.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The user alone, and nobody else may look into its folder.
    Private,
    /// As the system has it for new files.
    Usual,
}

/// Replaces the file with the content, and makes its folder if it is missing.
pub(crate) fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder, access)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unique = format!(".{name}.{}.{:?}", std::process::id(), std::thread::current().id());
    let temporary = folder.join(unique.replace(['(', ')'], ""));
    let written = write(&temporary, content, access).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The failure to write is what matters; the rest is swept as far as possible.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if access == Access::Private {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = access;
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a folder; a private one is closed to others even if it was open before.
pub(crate) fn create_folder(folder: &Path, access: Access) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if access == Access::Private {
        restrict(folder, 0o700)?;
    }
    Ok(())
}

/// Takes the rights of others away from a file or folder.
#[cfg(unix)]
pub(crate) fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let current = fs::metadata(path)?.permissions().mode() & 0o777;
    if current == mode { Ok(()) } else { fs::set_permissions(path, fs::Permissions::from_mode(mode)) }
}

/// Rights of others follow from the folder of the user on this system.
#[cfg(not(unix))]
pub(crate) fn restrict(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/file.json");
        replace(&path, b"one", Access::Usual).unwrap();
        replace(&path, b"two", Access::Usual).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(replace(&path.join("below"), b"three", Access::Usual).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_for_the_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private/file.json");
        fs::create_dir(path.parent().unwrap()).unwrap();
        replace(&path, b"x", Access::Private).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}
