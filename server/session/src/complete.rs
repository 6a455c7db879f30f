//! Completes a prompt while it is written: commands behind a slash at its beginning, their arguments where whoever has
//! the command knows them, and mentions behind an `@`.
//!
//! Paths are found with fuzzy matching in a walk that respects ignore files and ends when its time is over, so that an
//! answer always comes quickly; open documents come first.

use std::path::Path;
use std::time::Duration;

use kit_protocol::{
    CompleteAnswer, CompletionKind, KitError, PromptCompletion, SessionId, WirePosition, WireRange,
};
use kit_text::{ByteOffset, Encoding, Position, Text};
use kit_workspace::search::{self, FuzzyMatch, FuzzyQuery};
use tokio_util::sync::CancellationToken;

use crate::contributions::CompletionCall;
use crate::dependencies::Shared;
use crate::markdown_code::{code_ranges, is_in};
use crate::mentions::{WORDS, begins_mention};
use crate::sessions::commands;

/// Completions of one answer.
const MOST: usize = 50;
/// How long the walk may take.
const WALK: Duration = Duration::from_millis(60);
/// How much better an open document counts.
const OPEN_BONUS: i64 = 400;

/// What the cursor stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Typed<'a> {
    /// A slash and the beginning of a command.
    Command { name: &'a str, start: usize },
    /// A command and what stands behind it.
    Argument { name: &'a str, typed: &'a str, start: usize },
    /// An `@` and the beginning of a mention.
    Mention { path: &'a str, start: usize },
}

/// What fits at the cursor.
pub(crate) async fn complete(
    shared: &Shared,
    cwd: &Path,
    session: Option<SessionId>,
    text: &str,
    position: Option<WirePosition>,
    encoding: Encoding,
) -> Result<CompleteAnswer, KitError> {
    let rope = Text::from(text);
    let cursor = match position {
        Some(WirePosition { line, character }) => rope.offset_of(Position::new(line, character), encoding).0,
        None => text.len(),
    };
    let range = |start: usize| {
        let at = |offset| {
            let position = rope.position_of(ByteOffset(offset), encoding);
            WirePosition { line: position.line, character: position.character }
        };
        WireRange { start: at(start), end: at(cursor) }
    };
    match typed(text, cursor) {
        None => Ok(CompleteAnswer::default()),
        Some(Typed::Command { name, start }) => Ok(of_commands(shared, cwd, name, range(start)).await),
        Some(Typed::Mention { path, start }) => Ok(of_mentions(shared, cwd, path, range(start)).await),
        Some(Typed::Argument { name, typed, start }) => {
            let call = CompletionCall { name: name.to_owned(), typed: typed.to_owned(), session };
            Ok(of_arguments(shared, cwd, call, range(start)).await)
        }
    }
}

fn typed(text: &str, cursor: usize) -> Option<Typed<'_>> {
    let before = text.get(..cursor)?;
    let lead = before.len() - before.trim_start().len();
    if let Some(name) = before.get(lead..).and_then(|line| line.strip_prefix('/'))
        && !name.contains(|letter: char| letter.is_whitespace() || letter == '/')
    {
        return Some(Typed::Command { name, start: lead });
    }
    mention(text, before).or_else(|| argument(before, lead))
}

fn mention<'a>(text: &str, before: &'a str) -> Option<Typed<'a>> {
    let start = before.rfind('@')?;
    let begins = before.get(..start).and_then(|before| before.chars().next_back()).is_none_or(begins_mention);
    let path = before.get(start + 1..)?;
    // A quoted path may hold blanks.
    let ends = match path.strip_prefix('"') {
        Some(quoted) => quoted.contains(['"', '\n']),
        None => path.contains(char::is_whitespace),
    };
    (begins && !ends && !is_in(&code_ranges(text), start)).then_some(Typed::Mention { path, start })
}

/// The rest of the first line behind a command.
fn argument(before: &str, lead: usize) -> Option<Typed<'_>> {
    let line = before.get(lead..)?.strip_prefix('/')?;
    let (name, rest) = line.split_once(' ')?;
    let typed = rest.trim_start_matches(' ');
    let is_one = !name.is_empty() && !name.contains('/') && !line.contains(['\n', '\r', '\t']);
    is_one.then_some(Typed::Argument { name, typed, start: before.len() - typed.len() })
}

async fn of_arguments(shared: &Shared, cwd: &Path, call: CompletionCall, range: WireRange) -> CompleteAnswer {
    let name = call.name.clone();
    let mut fitting = shared.with.contributions.complete(cwd, call).await;
    let is_incomplete = fitting.len() > MOST;
    fitting.truncate(MOST);
    let items = fitting.into_iter().map(|text| PromptCompletion {
        label: text.clone(),
        kind: CompletionKind::Argument,
        detail: Some(format!("/{name}")),
        insert_text: text,
        range,
    });
    CompleteAnswer { items: items.collect(), is_incomplete }
}

async fn of_commands(shared: &Shared, cwd: &Path, name: &str, range: WireRange) -> CompleteAnswer {
    let library = shared.recent_library(cwd).await;
    let mut known = commands(&library);
    known.extend(shared.with.contributions.commands(cwd));
    let mut fitting: Vec<(i64, PromptCompletion)> = known
        .into_iter()
        .filter_map(|command| {
            let score = search::score(name, &command.name)?;
            let more = if command.arguments.is_some() { " " } else { "" };
            let item = PromptCompletion {
                label: format!("/{}", command.name),
                kind: CompletionKind::Command,
                detail: Some(command.description).filter(|description| !description.is_empty()),
                insert_text: format!("/{}{more}", command.name),
                range,
            };
            Some((score, item))
        })
        .collect();
    sort(&mut fitting);
    let is_incomplete = fitting.len() > MOST;
    CompleteAnswer { items: fitting.into_iter().take(MOST).map(|(_, item)| item).collect(), is_incomplete }
}

async fn of_mentions(shared: &Shared, cwd: &Path, path: &str, range: WireRange) -> CompleteAnswer {
    let plain = path.strip_prefix('"').unwrap_or(path);
    let mut fitting: Vec<(i64, PromptCompletion)> = Vec::new();
    for (word, detail) in WORDS {
        if !path.starts_with('"')
            && let Some(score) = search::score(plain, word)
        {
            let item = PromptCompletion {
                label: format!("@{word}"),
                kind: CompletionKind::Context,
                detail: Some(detail.to_owned()),
                insert_text: format!("@{word} "),
                range,
            };
            // Whoever types nothing yet sees them before all files.
            let bonus = if word.starts_with(plain) { OPEN_BONUS } else { 0 };
            fitting.push((score + bonus, item));
        }
    }
    fitting.extend(resources(shared, plain, range));
    let (paths, complete) = paths(shared, cwd, plain).await;
    fitting.extend(paths.into_iter().map(|found| {
        let is_folder = found.path.ends_with('/');
        let inserted = if found.path.contains(char::is_whitespace) {
            format!("@\"{}\"", found.path)
        } else {
            format!("@{}", found.path)
        };
        let item = PromptCompletion {
            label: format!("@{}", found.path),
            kind: if is_folder { CompletionKind::Folder } else { CompletionKind::File },
            detail: None,
            // Behind a folder one goes on typing.
            insert_text: if is_folder { inserted } else { format!("{inserted} ") },
            range,
        };
        (found.score, item)
    }));
    sort(&mut fitting);
    let is_incomplete = !complete || fitting.len() > MOST;
    CompleteAnswer { items: fitting.into_iter().take(MOST).map(|(_, item)| item).collect(), is_incomplete }
}

/// Files and folders that fit, and whether these are all.
async fn paths(shared: &Shared, cwd: &Path, typed: &str) -> (Vec<FuzzyMatch>, bool) {
    let workspace = &shared.with.workspace;
    let mut found: Vec<FuzzyMatch> = Vec::new();
    for document in workspace.documents().list() {
        let Ok(location) = workspace.locate(&document.uri) else { continue };
        if let Some(score) = search::score(typed, &location.display).filter(|_| location.inside) {
            found.push(FuzzyMatch { path: location.display, score: score + OPEN_BONUS });
        }
    }
    let Ok(top) = workspace.resolve(cwd, ".") else { return (found, true) };
    let query = FuzzyQuery { typed: typed.to_owned(), limit: MOST, within: WALK };
    match search::fuzzy(&top, query, &CancellationToken::new()).await {
        Ok(walked) => {
            let more = walked.matches.into_iter();
            let more: Vec<FuzzyMatch> =
                more.filter(|match_| found.iter().all(|known| known.path != match_.path)).collect();
            found.extend(more);
            (found, walked.complete)
        }
        Err(error) => {
            tracing::debug!(%error, "no paths for a completion");
            (found, false)
        }
    }
}

/// Resources whose scheme or name is being typed.
fn resources(shared: &Shared, typed: &str, range: WireRange) -> Vec<(i64, PromptCompletion)> {
    let mut found = Vec::new();
    for source in shared.with.contributions.mention_sources() {
        let scheme = source.scheme();
        let name = match typed.split_once(':') {
            Some((before, name)) if before == scheme => name,
            Some(_) => continue,
            None if scheme.starts_with(typed) => "",
            None => continue,
        };
        found.extend(source.resources(name).into_iter().map(|resource| {
            let item = PromptCompletion {
                label: format!("@{scheme}:{}", resource.name),
                kind: CompletionKind::Resource,
                detail: resource.description,
                insert_text: format!("@{scheme}:{} ", resource.name),
                range,
            };
            (search::score(name, &item.label).unwrap_or(0), item)
        }));
    }
    found
}

/// Best first, and by label where nothing else decides.
fn sort(items: &mut [(i64, PromptCompletion)]) {
    items.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| a.label.cmp(&b.label)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stands_behind_a_command_or_a_mention() {
        let check = |marked: &str, expected: Option<Typed<'_>>| {
            let cursor = marked.find('|').unwrap();
            let text = marked.replace('|', "");
            assert_eq!(typed(&text, cursor), expected, "{marked}");
        };
        check("/rev|", Some(Typed::Command { name: "rev", start: 0 }));
        check(" /skill:d|", Some(Typed::Command { name: "skill:d", start: 1 }));
        check("/review a|", Some(Typed::Argument { name: "review", typed: "a", start: 8 }));
        check("/review  |", Some(Typed::Argument { name: "review", typed: "", start: 9 }));
        check("/review a\nb|", None);
        check("/etc/hosts a|", None);
        check("/etc/ho|", None);
        check("see @src/ma| and", Some(Typed::Mention { path: "src/ma", start: 4 }));
        check("/review @a|", Some(Typed::Mention { path: "a", start: 8 }));
        check("@\"my fi|", Some(Typed::Mention { path: "\"my fi", start: 0 }));
        check("@a b|", None);
        check("me@exa|", None);
        check("`@a|`", None);
        check("@|", Some(Typed::Mention { path: "", start: 0 }));
    }
}
