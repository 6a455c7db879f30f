//! Environment variables as a value: captured once, so that nothing below reads or changes the process.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

/// Captured variables. `Debug` shows their names only, because some hold keys.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The variables of this process that are valid text.
    pub fn capture() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The value of a variable that holds a key.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.get(name).map(SecretString::from)
    }

    /// Where the product keeps its files: `KIT_HOME`, else `.kit` in the home directory.
    pub fn kit_home(&self) -> Option<PathBuf> {
        let home = || {
            self.get("HOME").or_else(|| self.get("USERPROFILE")).map(|home| PathBuf::from(home).join(".kit"))
        };
        self.get("KIT_HOME").map(PathBuf::from).or_else(home)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_are_absent() {
        let environment = Environment::from_iter([("A", ""), ("B", " x ")]);
        assert_eq!(
            (environment.get("A"), environment.get("B"), environment.get("C")),
            (None, Some("x"), None)
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let environment = Environment::from_iter([("OPENAI_API_KEY", "sk-planted")]);
        assert_eq!(format!("{environment:?}"), r#"{"OPENAI_API_KEY"}"#);
    }

    #[test]
    fn kit_home_wins_over_the_home_directory() {
        let home = Environment::from_iter([("HOME", "/home/u")]);
        assert_eq!(home.kit_home(), Some(PathBuf::from("/home/u").join(".kit")));
        let both = Environment::from_iter([("HOME", "/home/u"), ("KIT_HOME", "/k")]);
        assert_eq!(both.kit_home(), Some(PathBuf::from("/k")));
        assert_eq!(Environment::default().kit_home(), None);
    }
}
