//! The files of the AWS command line: `~/.aws/config` and `~/.aws/credentials`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// The settings of the profile in use. `Debug` is left out, because some are keys.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) name: String,
    settings: BTreeMap<String, String>,
}

impl Profile {
    /// The profile that the environment names, else `default`. Where both files have a setting, the one of the credentials
    /// counts, as everywhere else.
    pub(super) fn read(environment: &Environment) -> Self {
        let names = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
        let name = names.iter().find_map(|name| environment.get(name)).unwrap_or("default");
        let mut settings = BTreeMap::new();
        for (path, is_config) in [(config(environment), true), (credentials(environment), false)] {
            let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
            settings.extend(section(&text, name, is_config));
        }
        Self { name: name.to_owned(), settings }
    }

    /// A setting that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether the profile says how to get at an account by a login or a role.
    pub(super) fn has_login(&self) -> bool {
        let names = ["sso_session", "sso_start_url", "role_arn", "login_session"];
        names.iter().any(|name| self.get(name).is_some())
    }
}

fn file(environment: &Environment, variable: &str, name: &str) -> Option<PathBuf> {
    let set = environment.get(variable).map(PathBuf::from);
    let home = || environment.get("HOME").or_else(|| environment.get("USERPROFILE"));
    set.or_else(|| Some(Path::new(home()?).join(".aws").join(name)))
}

fn config(environment: &Environment) -> Option<PathBuf> {
    file(environment, "AWS_CONFIG_FILE", "config")
}

fn credentials(environment: &Environment) -> Option<PathBuf> {
    file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
}

/// The settings of a profile. The file of settings calls all profiles but the first one `profile NAME`.
fn section(text: &str, name: &str, is_config: bool) -> BTreeMap<String, String> {
    let mut inside = false;
    let mut settings = BTreeMap::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        if let Some(title) = line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let title = title.trim();
            let named = title.strip_prefix("profile").map(str::trim).filter(|_| is_config);
            inside = named.unwrap_or(title) == name;
            continue;
        }
        // Lines that begin with a space belong to a group of settings, none of which matters here.
        let is_setting = inside && !line.starts_with([' ', '\t', '#', ';']);
        if let Some((key, value)) = line.split_once('=').filter(|_| is_setting) {
            settings.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_read_and_the_credentials_win() {
        let folder = tempfile::tempdir().unwrap();
        let aws = folder.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        let config = "[default]\nregion=us-west-2\n[profile work]\nregion = eu-west-1 # near\ns3 =\n  region = x\n\
            aws_access_key_id = old\n[sso-session work]\nregion = y\n";
        std::fs::write(aws.join("config"), config).unwrap();
        std::fs::write(aws.join("credentials"), "; mine\n[work]\nAWS_ACCESS_KEY_ID = new\n").unwrap();
        let home = folder.path().display().to_string();
        let read = |variables: &[(&str, &str)]| {
            let variables = variables.iter().copied().chain([("HOME", home.as_str())]);
            Profile::read(&variables.collect())
        };
        let work = read(&[("AWS_PROFILE", "work")]);
        let found = ["region", "aws_access_key_id", "s3"].map(|name| work.get(name).map(str::to_owned));
        assert_eq!(found, [Some("eu-west-1".to_owned()), Some("new".to_owned()), None]);
        assert_eq!((read(&[]).get("region"), read(&[]).name.as_str()), (Some("us-west-2"), "default"));
        assert_eq!(read(&[("AWS_PROFILE", "none")]).get("region"), None);
    }
}
