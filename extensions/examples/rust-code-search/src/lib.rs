//! Code search: ranks files by what they are about instead of by exact words.
//!
//! The tool `rank_files` reads the files of a folder and ranks them for a question by BM25 over words and parts of
//! names: `readConfigFile` counts for "config" too. The whole index is computed anew for each call, which is the kind of
//! work that a component does many times quicker than a script.

use std::collections::{BTreeMap, HashMap};

use kit_extension_sdk::contract::{
    FilePermissions, ListFilesParameters, Permissions, ReadFileParameters, ToolDefinition,
};
use kit_extension_sdk::{Context, Error, Extension, Kit, ToolContext, export, json};
use serde::Deserialize;

/// Files that are read at most, and the largest of them in bytes.
const FILES: usize = 2000;
const LARGEST: usize = 200_000;
/// The constants of BM25 as they are usually taken.
const SATURATION: f64 = 1.2;
const LENGTH_WEIGHT: f64 = 0.75;
const SKIPPED: [&str; 6] = [".git", "node_modules", "target", "dist", "build", ".kit"];

/// The extension.
pub struct CodeSearch;

#[derive(Deserialize)]
struct Input {
    question: String,
    #[serde(default)]
    folder: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

impl Extension for CodeSearch {
    fn init(kit: &mut Kit) -> Result<(), Error> {
        kit.describe("code-search", env!("CARGO_PKG_VERSION"), "Ranks files by what they are about");
        let fs = FilePermissions { read: vec![".".into()], write: Vec::new() };
        kit.permissions(Permissions { fs, ..Permissions::default() });
        let definition = ToolDefinition {
            name: "rank_files".into(),
            description: "Ranks the files of a folder by how much they are about a question. \
                          Use it to find where something is done when you do not know its exact name."
                .into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "question": { "type": "string", "description": "What is looked for, in words" },
                    "folder": { "type": "string", "description": "The folder; the workspace otherwise" },
                    "limit": { "type": "integer", "description": "How many files; 10 otherwise" },
                },
                "required": ["question"],
            }),
            kind: Some("search".into()),
            parallel: true,
        };
        kit.tool(definition, rank_files);
        Ok(())
    }
}

async fn rank_files(input: Input, call: ToolContext) -> Result<String, Error> {
    let folder = input.folder.unwrap_or_else(|| ".".into());
    let mut index = Index::default();
    for path in files(&call.context, &folder).await? {
        if call.is_cancelled() {
            return Err("no longer wanted".into());
        }
        // What cannot be read, such as a picture, is not about anything.
        if let Ok(file) = call.context.fs_read(ReadFileParameters { path: path.clone() }).await
            && file.text.len() <= LARGEST
        {
            index.add(path, &file.text);
        }
    }
    let ranked = index.rank(&input.question);
    if ranked.is_empty() {
        return Ok(format!("none of {} files is about that", index.documents.len()));
    }
    let lines = ranked.iter().take(input.limit.unwrap_or(10));
    Ok(lines.map(|(path, score)| format!("{score:6.2}  {path}")).collect::<Vec<_>>().join("\n"))
}

/// The files below a folder, breadth first.
async fn files(context: &Context, folder: &str) -> Result<Vec<String>, Error> {
    let mut folders = vec![folder.trim_end_matches('/').to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in context.fs_list(ListFilesParameters { path: folder.clone() }).await? {
            let path = if folder == "." { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
            match entry.kind.as_str() {
                "directory" if !SKIPPED.contains(&entry.name.as_str()) => folders.push(path),
                "file" => found.push(path),
                _ => {}
            }
        }
        if found.len() >= FILES {
            found.truncate(FILES);
            break;
        }
    }
    found.sort();
    Ok(found)
}

/// Words by document.
#[derive(Default)]
struct Index {
    documents: Vec<Document>,
    /// In how many documents a word is.
    frequencies: HashMap<String, usize>,
}

struct Document {
    path: String,
    counts: BTreeMap<String, usize>,
    length: usize,
}

impl Index {
    fn add(&mut self, path: String, text: &str) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut length = 0;
        // A word in the path says more than one in the text.
        for word in words(text).into_iter().chain(words(&path).into_iter().flat_map(|word| vec![word; 8])) {
            *counts.entry(word).or_default() += 1;
            length += 1;
        }
        for word in counts.keys() {
            *self.frequencies.entry(word.clone()).or_default() += 1;
        }
        self.documents.push(Document { path, counts, length });
    }

    fn rank(&self, question: &str) -> Vec<(&str, f64)> {
        let total = self.documents.len() as f64;
        let average =
            self.documents.iter().map(|document| document.length).sum::<usize>() as f64 / total.max(1.0);
        let wanted = words(question);
        let score = |document: &Document| {
            wanted.iter().fold(0.0, |sum, word| {
                let Some(count) = document.counts.get(word) else { return sum };
                let count = *count as f64;
                let spread = self.frequencies.get(word).copied().unwrap_or_default() as f64;
                let rarity = ((total - spread + 0.5) / (spread + 0.5) + 1.0).ln();
                let length = 1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * document.length as f64 / average.max(1.0);
                sum + rarity * count * (SATURATION + 1.0) / (count + SATURATION * length)
            })
        };
        let mut ranked: Vec<(&str, f64)> =
            self.documents.iter().map(|document| (document.path.as_str(), score(document))).collect();
        ranked.retain(|(_, score)| *score > 0.0);
        ranked.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
        ranked
    }
}

/// The words of a text in lower case; names in camel case or with underscores are several words. A plural counts as its
/// singular.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in text.chars().chain([' ']) {
        let begins = c.is_uppercase() && was_lower;
        if (!c.is_alphanumeric() || begins) && !word.is_empty() {
            let whole = std::mem::take(&mut word);
            if whole.chars().count() > 1 {
                let singular = whole.strip_suffix('s').filter(|stem| stem.len() > 3).map(str::to_owned);
                words.push(singular.unwrap_or(whole));
            }
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
    }
    words
}

export!(CodeSearch);

#[cfg(test)]
mod tests {
    use kit_extension_sdk::test::Harness;

    use super::*;

    const FILES: [(&str, &str); 3] = [
        ("src/config.rs", "fn readConfigFile(path: &str) -> Config { parse(path) }"),
        ("src/server.rs", "fn serve(config: Config) { listen(config.port) }"),
        ("src/color.rs", "const RED: u32 = 1;"),
    ];

    fn harness() -> Harness {
        let harness = Harness::load::<CodeSearch>();
        harness.given("fs.list", |parameters| {
            Ok(match parameters["path"].as_str() {
                Some(".") => {
                    json!([{ "name": "src", "kind": "directory" }, { "name": ".git", "kind": "directory" }])
                }
                Some("src") => {
                    FILES.iter().map(|(path, _)| json!({ "name": &path[4..], "kind": "file" })).collect()
                }
                other => panic!("listed {other:?}"),
            })
        });
        harness.given("fs.read", |parameters| {
            let found = FILES.iter().find(|(path, _)| parameters["path"] == *path);
            Ok(json!({ "text": found.expect("a known file").1 }))
        });
        harness.given("tool.isCancelled", |_| Ok(false.into()));
        harness
    }

    #[test]
    fn the_file_that_is_about_it_comes_first() {
        let answer = harness().tool("rank_files", json!({ "question": "where are configs read" })).unwrap();
        let paths: Vec<&str> =
            answer.content.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!((paths, answer.is_error), (vec!["src/config.rs", "src/server.rs"], false));
    }

    #[test]
    fn nothing_found_and_wrong_arguments_are_said() {
        let harness = harness();
        let nothing = harness.tool("rank_files", json!({ "question": "zebra" })).unwrap();
        assert_eq!(nothing.content, "none of 3 files is about that");
        let wrong = harness.tool("rank_files", json!({ "questoin": 1 })).unwrap();
        assert!(wrong.is_error && wrong.content.contains("missing field `question`"), "{wrong:?}");
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(
            words("readConfigFile HTTP_status x2 files"),
            ["read", "config", "file", "http", "statu", "x2", "file"]
        );
    }
}
