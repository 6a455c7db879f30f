//! A file of secrets that are not keys of providers, each under a name.

use std::fs::File;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use super::error::AuthError;
use super::private::PrivateFile;

/// A file of secrets.
#[derive(Clone, Debug)]
pub struct Drawer {
    file: PrivateFile,
}

impl Drawer {
    /// The secrets in that file, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { file: PrivateFile { path } }
    }

    /// What lies under a name: JSON text.
    pub fn get(&self, name: &str) -> Result<Option<SecretString>, AuthError> {
        Ok(self.file.read()?.get(name).map(|value| SecretString::from(value.to_string())))
    }

    /// Puts JSON text under a name.
    pub fn put(&self, name: &str, text: &SecretString) -> Result<(), AuthError> {
        let value = serde_json::from_str(text.expose_secret());
        let value = value.map_err(|_| self.file.damaged("the secret is no JSON"))?;
        self.file.change(|stored| {
            stored.insert(name.to_owned(), value);
            Ok(())
        })
    }

    /// Takes away what lies under a name and tells whether there was something. The file goes with the last.
    pub fn remove(&self, name: &str) -> Result<bool, AuthError> {
        let mut was_there = false;
        self.file.change(|stored| {
            was_there = stored.shift_remove(name).is_some();
            Ok(())
        })?;
        Ok(was_there)
    }

    /// Keeps other processes from renewing what lies in the file, until the result is dropped.
    pub async fn lock(&self) -> Result<File, AuthError> {
        self.file.lock("renewal").await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_lie_in_a_private_file_that_goes_with_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/logins.json");
        let drawer = Drawer::at(path.clone());
        assert!(drawer.get("a").unwrap().is_none());
        drawer.put("a", &SecretString::from(r#"{"token":"planted"}"#)).unwrap();
        drawer.put("b", &SecretString::from("1")).unwrap();
        assert_eq!(drawer.get("a").unwrap().unwrap().expose_secret(), r#"{"token":"planted"}"#);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(drawer.remove("a").unwrap() && !drawer.remove("a").unwrap());
        assert!(drawer.remove("b").unwrap() && !path.exists());
        fs::write(&path, "planted").unwrap();
        let error = drawer.get("a").unwrap_err().to_string();
        assert!(error.contains("damaged") && !error.contains("planted"), "{error}");
    }
}
