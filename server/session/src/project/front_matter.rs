//! Front matter: the YAML between two `---` lines at the top of a Markdown file.
//!
//! Skills, prompt templates and named agents begin with it. The reader is lenient where people are: a byte order mark,
//! blank lines before the first `---`, CRLF, names in `snake_case`, and values such as `description: Use it: always`
//! whose colon YAML would refuse are all understood. A block that is never closed is no front matter but text. What is
//! wrong is told with its line, so that an editor can show it there.

use serde_json::{Map, Value};
use thiserror::Error;

const FENCE: &str = "---";

/// The fields and the text behind them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FrontMatter {
    fields: Map<String, Value>,
    /// For each field its line in the file, from 0.
    lines: Vec<(String, u32)>,
    /// The text behind the front matter, without blank lines around it.
    pub(crate) body: String,
}

/// Why front matter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub(crate) struct FrontMatterError {
    /// The line in the file, from 0.
    pub(crate) line: u32,
    /// What is wrong.
    pub(crate) why: String,
}

/// Splits a file into front matter and text.
pub(crate) fn parse(text: &str) -> Result<FrontMatter, FrontMatterError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let opening = lines.iter().position(|line| !line.trim().is_empty());
    let opening = opening.filter(|at| lines.get(*at).is_some_and(|line| line.trim_end() == FENCE));
    let closing = opening.and_then(|opening| {
        let behind = lines.iter().skip(opening + 1).position(|line| line.trim_end() == FENCE)?;
        Some((opening + 1, opening + 1 + behind))
    });
    let Some((first, end)) = closing else {
        return Ok(FrontMatter { body: text.trim().to_owned(), ..FrontMatter::default() });
    };
    let block = lines.get(first..end).unwrap_or_default();
    let body = lines.get(end + 1..).unwrap_or_default().join("\n");
    let fields = fields(block).map_err(|(line, why)| FrontMatterError { line: number(first + line), why })?;
    let lines = block.iter().enumerate().filter_map(|(at, line)| {
        let (name, _) = line.split_once(':')?;
        is_name(name).then(|| (plain_name(name), number(first + at)))
    });
    Ok(FrontMatter { fields, lines: lines.collect(), body: body.trim().to_owned() })
}

impl FrontMatter {
    /// A text field; numbers and truth values are taken as they are written.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, FrontMatterError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(truth)) => Ok(Some(truth.to_string())),
            Some(Value::Array(_) | Value::Object(_)) => Err(self.wrong(name, "a text")),
        }
    }

    /// A yes or no; absent means no.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, FrontMatterError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(self.wrong(name, "true or false"))
            }
        }
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, FrontMatterError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                Err(self.wrong(name, "a number"))
            }
        }
    }

    /// A list of words: a YAML list, or words that commas or blanks part outside of brackets.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<String>>, FrontMatterError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(words(text))),
            Some(Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned()));
                texts.collect::<Option<Vec<_>>>().map(Some).ok_or_else(|| self.wrong(name, "a list of texts"))
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                Err(self.wrong(name, "a list of texts"))
            }
        }
    }

    /// The line of a field, from 0; the first line of the file where there is no such field.
    pub(crate) fn line_of(&self, name: &str) -> u32 {
        self.lines.iter().find(|(known, _)| known == name).map_or(0, |(_, line)| *line)
    }

    /// An error about a field.
    pub(crate) fn wrong(&self, name: &str, wanted: &str) -> FrontMatterError {
        FrontMatterError { line: self.line_of(name), why: format!("`{name}` must be {wanted}") }
    }
}

/// The fields of a block; the error names the line in the block.
fn fields(block: &[&str]) -> Result<Map<String, Value>, (usize, String)> {
    let read = |text: &str| serde_yaml_ng::from_str::<Value>(text);
    let value = read(&block.join("\n")).or_else(|error| {
        let mended: Vec<String> = block.iter().map(|line| mended(line)).collect();
        read(&mended.join("\n")).map_err(|_| error)
    });
    match value {
        Ok(Value::Null) => Ok(Map::new()),
        Ok(Value::Object(fields)) => {
            Ok(fields.into_iter().map(|(name, value)| (plain_name(&name), value)).collect())
        }
        Ok(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err((0, "the front matter must be lines of `name: value`".to_owned()))
        }
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line().saturating_sub(1));
            Err((
                line.min(block.len().saturating_sub(1)),
                format!("the front matter is not valid YAML: {error}"),
            ))
        }
    }
}

/// A line whose plain value YAML would refuse, with the value in quotes.
fn mended(line: &str) -> String {
    let Some((name, value)) = line.split_once(':') else { return line.to_owned() };
    let value = value.trim();
    let marked = value.starts_with(['"', '\'', '[', '{', '|', '>', '&', '*', '!', '#']);
    let refused = value.contains(": ") || value.ends_with(':');
    if !is_name(name) || !refused || marked {
        return line.to_owned();
    }
    format!("{name}: {}", Value::String(value.to_owned()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '-' || letter == '_')
}

fn plain_name(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

/// Words parted by commas or blanks; what stands in brackets belongs to its word.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0_u32;
    for letter in text.chars() {
        depth = match letter {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        match words.last_mut() {
            Some(word) if depth > 0 || !(letter == ',' || letter.is_whitespace()) => word.push(letter),
            Some(_) | None => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str, name: &str) -> Option<String> {
        parse(source).unwrap().text(name).unwrap()
    }

    #[test]
    fn fields_and_text_are_parted_however_the_file_is_written() {
        for source in [
            "---\nname: a\n---\n\n# Body\nmore\n",
            "\u{feff}\n---\r\nname: a\r\n---\r\n# Body\r\nmore",
            "--- \nNAME: a\n---\n# Body\nmore\n\n",
        ] {
            let parsed = parse(source).unwrap();
            assert_eq!(parsed.text("name"), Ok(Some("a".to_owned())), "{source:?}");
            assert_eq!(parsed.body, "# Body\nmore", "{source:?}");
        }
    }

    #[test]
    fn without_a_closed_block_everything_is_text() {
        for source in ["# Title\n---\nname: a\n---", "---\nname: a\n", "", "---"] {
            let parsed = parse(source).unwrap();
            assert_eq!((parsed.text("name"), parsed.body.as_str()), (Ok(None), source.trim()), "{source:?}");
        }
    }

    #[test]
    fn a_colon_in_a_plain_value_is_mended() {
        let source = "---\nname: x\ndescription: Use when: you \"deploy\"\ntags: [a, b]\n---\n";
        assert_eq!(text(source, "description").as_deref(), Some("Use when: you \"deploy\""));
        assert_eq!(parse(source).unwrap().list("tags"), Ok(Some(vec!["a".into(), "b".into()])));
        let source = "---\ndescription: Use when: you deploy\ntimeout: 90\nhidden: true\n---\n";
        let parsed = parse(source).unwrap();
        assert_eq!((parsed.number("timeout"), parsed.flag("hidden")), (Ok(Some(90.0)), Ok(true)));
    }

    #[test]
    fn lists_are_yaml_lists_or_words() {
        let list =
            |value: &str| parse(&format!("---\nallowed_tools: {value}\n---")).unwrap().list("allowed-tools");
        let expected =
            |words: &[&str]| Ok(Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()));
        assert_eq!(list("Read Bash(git add:*) Grep"), expected(&["Read", "Bash(git add:*)", "Grep"]));
        assert_eq!(list("Read, Grep"), expected(&["Read", "Grep"]));
        assert_eq!(list("\n- Read\n- Bash(ls)"), expected(&["Read", "Bash(ls)"]));
        assert_eq!(list("7").unwrap_err().why, "`allowed-tools` must be a list of texts");
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        let broken = parse("---\nname: a\nlist: [b\n---\n").unwrap_err();
        assert!(broken.why.starts_with("the front matter is not valid YAML"), "{broken:?}");
        assert!((1..=2).contains(&broken.line), "{broken:?}");
        let typed = parse("\n---\nname: a\nhidden: maybe\ntimeout: soon\n---\n").unwrap();
        assert_eq!(
            typed.flag("hidden"),
            Err(FrontMatterError { line: 3, why: "`hidden` must be true or false".into() })
        );
        assert_eq!(typed.number("timeout").unwrap_err().line, 4);
        assert_eq!(parse("---\n- a\n---").unwrap_err().line, 1);
    }
}
