//! Options of extensions and where their values come from.
//!
//! A value set at run time comes first, then the environment variable `KIT_OPT_<NAME>`, then the settings, then the
//! first default that an extension registered; an empty text in the environment or the settings counts as unset.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Values of options.
#[derive(Default)]
pub(crate) struct Options {
    set: RwLock<BTreeMap<String, String>>,
    settings: RwLock<BTreeMap<String, String>>,
}

impl Options {
    /// The value of an option.
    pub(crate) fn get(
        &self,
        name: &str,
        environment: &dyn Fn(&str) -> Option<String>,
        default: impl FnOnce() -> Option<String>,
    ) -> String {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let from_settings =
            || self.settings.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let filled = |value: &String| !value.is_empty();
        set.or_else(|| environment(&variable(name)).filter(filled))
            .or_else(|| from_settings().filter(filled))
            .or_else(default)
            .unwrap_or_default()
    }

    /// Sets an option until the process ends.
    pub(crate) fn set(&self, name: String, value: String) {
        self.set.write().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }

    /// Replaces what the settings say.
    pub(crate) fn set_settings(&self, settings: BTreeMap<String, String>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }
}

fn variable(name: &str) -> String {
    format!("KIT_OPT_{}", name.to_ascii_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_order() {
        let options = Options::default();
        let empty = |_: &str| Some(String::new());
        let filled = |name: &str| (name == "KIT_OPT_MAX_COST").then(|| "environment".to_owned());
        let default = || Some("default".to_owned());
        assert_eq!(options.get("max-cost", &empty, || None), "");
        assert_eq!(options.get("max-cost", &empty, default), "default");
        options.set_settings(BTreeMap::from([("max-cost".to_owned(), "settings".to_owned())]));
        assert_eq!(options.get("max-cost", &empty, default), "settings");
        assert_eq!(options.get("max-cost", &filled, default), "environment");
        options.set("max-cost".to_owned(), String::new());
        assert_eq!(options.get("max-cost", &filled, default), "");
    }
}
