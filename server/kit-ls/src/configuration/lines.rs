//! In which line of a settings file a key stands.
//!
//! Neither YAML nor JSON parser tells positions of values, and people write one key per line. So lines are read as
//! `key:` with their indentation; what stands inside of one line, as in `{a: 1}`, has the line of the key around it.

use std::collections::BTreeMap;

/// The lines of a file, counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Those of keys, by the path of the key in camel case, as `providers.local.baseUrl`.
    keys: BTreeMap<String, u32>,
    text: String,
}

impl Lines {
    /// Reads a file.
    pub(crate) fn of(text: &str, camel: impl Fn(&str) -> String) -> Self {
        let mut found = BTreeMap::new();
        let mut open: Vec<(usize, String)> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let indent = line.len() - line.trim_start().len();
            let Some(key) = key(line.trim_start()) else { continue };
            open.retain(|(outer, _)| *outer < indent);
            let path = match open.last() {
                Some((_, outer)) => format!("{outer}.{}", camel(key)),
                None => camel(key),
            };
            found.entry(path.clone()).or_insert(number);
            open.push((indent, path));
        }
        Self { keys: found, text: text.to_owned() }
    }

    /// The line of a key, or of the nearest one around it.
    pub(crate) fn line(&self, path: &str) -> Option<u32> {
        let mut path = path;
        loop {
            if let Some(line) = self.keys.get(path) {
                return Some(*line);
            }
            path = path.rsplit_once('.')?.0;
        }
    }
}

impl Lines {
    /// The line of an item of a list at a path, or else that of the path.
    pub(crate) fn line_of(&self, path: &str, item: &str) -> Option<u32> {
        let start = self.line(path)?;
        let behind = (1..).zip(self.text.lines()).skip_while(|(number, _)| *number < start);
        let found = behind.filter(|(_, line)| line.contains(item)).map(|(number, _)| number).next();
        Some(found.unwrap_or(start))
    }
}

/// The key that a line without its indentation begins with.
fn key(line: &str) -> Option<&str> {
    if line.starts_with('#') {
        return None;
    }
    let (key, rest) = match line.strip_prefix(['"', '\'']) {
        Some(quoted) => {
            let (key, rest) = quoted.split_once(['"', '\''])?;
            (key, rest.trim_start().strip_prefix(':')?)
        }
        None => line.split_once(':')?,
    };
    let is_name = !key.is_empty() && !key.starts_with(['-', '{', '[']) && !key.contains(char::is_whitespace);
    (is_name && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_indentation_in_yaml_and_json() {
        let yaml = "# a: comment\nmodel: a/b\n\nproviders:\n  x:\n    base-url: http://one\n  y: {name: Y}\nmode: ask\n";
        let lines = Lines::of(yaml, |key| key.replace("base-url", "baseUrl"));
        let at = |path: &str| lines.line(path);
        assert_eq!(
            ["model", "providers.x.baseUrl", "providers.y.name", "mode", "missing"].map(at),
            [Some(2), Some(6), Some(7), Some(8), None]
        );
        let json =
            Lines::of("{\n  \"mode\": \"ask\",\n  \"budget\": {\n    \"turn\": {}\n  }\n}\n", str::to_owned);
        assert_eq!(["mode", "budget.turn"].map(|path| json.line(path)), [Some(2), Some(4)]);
    }
}
