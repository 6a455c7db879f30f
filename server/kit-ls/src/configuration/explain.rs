//! Which settings hold, and where each is from.

use serde_json::Value;

use super::Configuration;

/// A value that holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Explained {
    /// The path of the key, as `providers.local.baseUrl`.
    pub(crate) name: String,
    /// The value; a secret is not told.
    pub(crate) value: Value,
    /// The file and line, or the layer.
    pub(crate) place: String,
}

/// Keys whose values are not told, wherever they stand.
const SECRETS: [&str; 5] = ["providerApiKey", "apiKey", "headers", "env", "oauthClientSecret"];
/// What is told in place of a secret.
const HIDDEN: &str = "(not shown)";

impl Configuration {
    /// The values that hold under a key, or all of them, in the order of their names. Permission rules add up over the
    /// layers and are told per layer.
    pub(crate) fn explain(&self, name: Option<&str>) -> Vec<Explained> {
        let mut explained = Vec::new();
        for (key, value) in &self.merged {
            self.flatten(key, value, &mut explained);
        }
        for layer in &self.rules {
            explained.push(Explained {
                name: "permissions".to_owned(),
                value: serde_json::to_value(&layer.rules).unwrap_or_default(),
                place: layer.origin.clone(),
            });
        }
        let wanted = |explained: &Explained| {
            name.is_none_or(|name| {
                explained.name == name
                    || explained.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
            })
        };
        explained.retain(wanted);
        explained.sort_by(|one, other| one.name.cmp(&other.name));
        explained
    }

    fn flatten(&self, path: &str, value: &Value, into: &mut Vec<Explained>) {
        let key = path.rsplit('.').next().unwrap_or(path);
        match value {
            Value::Object(members) if !members.is_empty() && !SECRETS.contains(&key) => {
                for (name, value) in members {
                    self.flatten(&format!("{path}.{name}"), value, into);
                }
            }
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                let shown =
                    if SECRETS.contains(&key) { Value::from(HIDDEN) } else { without_user(key, value) };
                into.push(Explained { name: path.to_owned(), value: shown, place: self.place(path) });
            }
        }
    }

    fn place(&self, path: &str) -> String {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return place.to_string();
            }
            match path.rsplit_once('.') {
                Some((outer, _)) => path = outer,
                None => return "a default".to_owned(),
            }
        }
    }
}

/// An address without the user and password in it; any other value as it is. A proxy may be named without a scheme.
fn without_user(key: &str, value: &Value) -> Value {
    let hidden = || {
        let text = value.as_str()?;
        let split = text.split_once("://").or_else(|| (key == "proxy").then_some(("http", text)));
        let (scheme, rest) = split?;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (_, host) = host.rsplit_once('@')?;
        Some(format!("{scheme}://{HIDDEN}@{host}{path}").into())
    };
    hidden().unwrap_or_else(|| value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::super::load;
    use super::*;

    #[test]
    fn each_value_is_told_with_the_file_and_line_that_won() {
        let folder = tempfile::tempdir().unwrap();
        let [user, project] = ["user", "project"].map(|name| folder.path().join(name));
        for at in [&user, &project] {
            std::fs::create_dir_all(at).unwrap();
        }
        let text = "model: a/one\nproviders:\n  x:\n    base-url: http://one\n    name: X\nprovider-api-key: secret\n";
        std::fs::write(user.join(".kit.yml"), text).unwrap();
        let text = "# ours\nproviders:\n  x:\n    base-url: http://two\npermissions:\n  deny: [Bash]\n";
        std::fs::write(project.join(".kit.yml"), text).unwrap();
        let environment = |name: &str| (name == "KIT_MODEL").then(|| "b/two".to_owned());
        let configuration =
            load(&user, None, &[&project], &environment, Value::Null, Map::new(), &Configuration::default());
        let [user, project] = [user, project].map(|at| at.join(".kit.yml").display().to_string());
        let told = |explained: Explained| (explained.name, explained.value, explained.place);
        let expected = [
            ("model", json!("b/two"), "the environment".to_owned()),
            ("permissions", json!({"deny": ["Bash"]}), project.clone()),
            ("providerApiKey", json!("(not shown)"), format!("{user}:6")),
            ("providers.x.baseUrl", json!("http://two"), format!("{project}:4")),
            ("providers.x.name", json!("X"), format!("{user}:5")),
        ]
        .map(|(name, value, place)| (name.to_owned(), value, place));
        assert_eq!(configuration.explain(None).into_iter().map(told).collect::<Vec<_>>(), expected);
        let one = configuration.explain(Some("providers.x"));
        assert_eq!(one.len(), 2);
    }

    #[test]
    fn an_address_is_told_without_its_password() {
        let check = |key: &str, address: &str, expected: &str| {
            assert_eq!(without_user(key, &json!(address)), json!(expected));
        };
        check("proxy", "http://me:planted@proxy:3128", "http://(not shown)@proxy:3128");
        check("proxy", "me:planted@proxy:3128", "http://(not shown)@proxy:3128");
        check("proxy", "none", "none");
        check("baseUrl", "https://me:pl@nted@host/v1?a=b@c", "https://(not shown)@host/v1?a=b@c");
        check("baseUrl", "https://host/v1/me@home", "https://host/v1/me@home");
        check("systemPrompt", "mail me@home", "mail me@home");
    }
}
