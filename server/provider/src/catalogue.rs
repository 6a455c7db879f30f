//! What is known about models without asking their provider: limits, abilities, prices, other names, and how providers
//! are reached.
//!
//! The table is text that is embedded and scanned when a model is looked up; nothing is parsed at start. A file in the
//! format of models.dev, which the user refreshes, is read at the first look-up and wins, except for abilities, which it
//! does not have. What the server of GitHub Copilot lists wins over both. A model that nobody knows may be used all the
//! same: its limits and price are then unknown.

mod refreshed;
mod served;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use kit_protocol::{ModelId, ModelInfo, Price};

use crate::copilot;
use crate::providers::{self, Auth, Key, Provider};
use crate::usage::{Prices, Tier};
use crate::wire::Wire;
use crate::wire::chat::{Effort, Quirks, ResultMedia};

pub(crate) use refreshed::check;
pub(crate) use served::Served;

use served::ServedModel;

const TABLE: &str = include_str!("../data/models.tsv");

/// The models that are known. Clones share what was read.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The user's file.
    file: Option<PathBuf>,
    /// Its content; empty when there is none.
    refreshed: OnceLock<Table>,
    /// What GitHub Copilot lists.
    served: Served,
}

/// A table that is cut into the sections of its providers. Their lines are read when they are needed.
#[derive(Debug)]
struct Table {
    text: Cow<'static, str>,
    sections: BTreeMap<String, Range<usize>>,
}

/// One model of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) context_window: u64,
    pub(crate) max_output: u64,
    pub(crate) abilities: Abilities,
    pub(crate) prices: Option<Prices>,
    /// What people should know about using it.
    pub(crate) note: Option<String>,
    /// The place of its route in the line of its provider.
    route: usize,
}

/// What a model can do and what its requests must not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub(crate) images: bool,
    pub(crate) reasoning: bool,
    /// Reasoning is asked for by effort rather than by a token budget.
    pub(crate) adaptive: bool,
    /// Reasoning cannot be turned off.
    pub(crate) always_reasons: bool,
    /// The effort `none` exists.
    pub(crate) effort_none: bool,
    /// The effort `minimal` exists.
    pub(crate) effort_minimal: bool,
    /// The effort `low` does not exist.
    pub(crate) no_low: bool,
    /// The effort `medium` does not exist.
    pub(crate) no_medium: bool,
    /// Temperature and nucleus sampling are refused.
    pub(crate) fixed_sampling: bool,
    /// The values are from the table and not the ones for unknown models.
    pub(crate) known: bool,
}

impl Abilities {
    /// What to assume of a model that the table does not know: everything that is harmless to try.
    pub(crate) const UNKNOWN: Self = Self {
        images: true,
        reasoning: true,
        adaptive: false,
        always_reasons: false,
        effort_none: false,
        effort_minimal: false,
        no_low: false,
        no_medium: false,
        fixed_sampling: false,
        known: false,
    };

    /// What to assume of an unknown model of a provider. One of Anthropic is newer than the table, and the newer ones
    /// reason by effort; everything else that speaks that wire imitates the older ones.
    pub(crate) fn unknown(provider: &str) -> Self {
        Self { adaptive: provider == "anthropic", ..Self::UNKNOWN }
    }

    fn parse(flags: &str) -> Self {
        let has = |flag: char| flags.contains(flag);
        Self {
            images: has('i'),
            reasoning: has('r'),
            adaptive: has('a'),
            always_reasons: has('d'),
            effort_none: has('n'),
            effort_minimal: has('m'),
            no_low: has('l'),
            no_medium: has('e'),
            fixed_sampling: has('f'),
            known: true,
        }
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        let (id, name) = (next()?, next()?);
        let (context_window, max_output) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let flags = next()?;
        let route = flags.chars().find_map(|flag| flag.to_digit(10)).unwrap_or_default();
        let base = price([next(), next(), next(), next()]);
        let tiers = next().unwrap_or_default().split(';').filter_map(tier).collect();
        let prices = base.map(|base| Prices { base, tiers });
        Some(Self {
            id: id.to_owned(),
            name: name.to_owned(),
            context_window,
            max_output,
            abilities: Abilities::parse(flags),
            prices,
            note: None,
            route: usize::try_from(route).unwrap_or_default(),
        })
    }

    /// The line of a model list.
    pub(crate) fn info(&self, id: ModelId) -> ModelInfo {
        ModelInfo {
            provider: id.provider().to_owned(),
            id,
            name: self.name.clone(),
            context_window: self.context_window,
            max_output: self.max_output,
            reasoning: self.abilities.reasoning,
            price: self.prices.as_ref().map(|prices| prices.base),
            note: self.note.clone(),
        }
    }
}

fn price([input, output, read, write]: [Option<&str>; 4]) -> Option<Price> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    Some(Price {
        input: number(input)?,
        output: number(output)?,
        cache_read: number(read),
        cache_write: number(write),
    })
}

fn tier(text: &str) -> Option<Tier> {
    let mut columns = text.split(':');
    let above = columns.next()?.parse().ok()?;
    let price = price([columns.next(), columns.next(), columns.next(), columns.next()])?;
    Some(Tier { above, price })
}

impl Table {
    fn new(text: Cow<'static, str>) -> Self {
        let mut sections = BTreeMap::new();
        let starts = text.match_indices("\n>").map(|(at, mark)| at + mark.len());
        let mut starts = starts.peekable();
        while let Some(start) = starts.next() {
            let end = starts.peek().map_or(text.len(), |next| next - 1);
            let id = text.get(start..end).and_then(|section| section.split(['\t', '\n']).next());
            sections.insert(id.unwrap_or_default().to_owned(), start..end);
        }
        Self { text, sections }
    }

    fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Table> = OnceLock::new();
        EMBEDDED.get_or_init(|| Self::new(Cow::Borrowed(TABLE)))
    }

    /// The line of a provider and the lines below it.
    fn section(&self, provider: &str) -> Option<(&str, &str)> {
        let range = self.sections.get(providers::canonical(provider))?;
        self.text.get(range.clone())?.split_once('\n')
    }

    fn lines(&self, provider: &str) -> std::str::Lines<'_> {
        self.section(provider).map_or("", |(_, lines)| lines).lines()
    }

    fn find(&self, provider: &str, name: &str) -> Option<Entry> {
        let aliases = self.lines(provider).filter_map(|line| line.split_once(" = "));
        let id = aliases.filter(|(alias, _)| *alias == name).map(|(_, id)| id).next().unwrap_or(name);
        let is_wanted = |line: &&str| line.strip_prefix(id).is_some_and(|rest| rest.starts_with('\t'));
        self.lines(provider).find(is_wanted).and_then(Entry::parse)
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Catalogue {
    /// The catalogue with the user's file, which need not exist. Copilot's list lies beside it.
    pub(crate) fn with_file(file: PathBuf) -> Self {
        Self::new(Some(file))
    }

    fn new(file: Option<PathBuf>) -> Self {
        let served = file.as_deref().map(|file| file.with_file_name(format!("{}.json", copilot::ID)));
        Self { shared: Arc::new(Shared { file, refreshed: OnceLock::new(), served: Served::at(served) }) }
    }

    /// What GitHub Copilot lists.
    pub(crate) fn served(&self) -> &Served {
        &self.shared.served
    }

    fn served_model(&self, provider: &str, id: &str) -> Option<ServedModel> {
        if providers::canonical(provider) == copilot::ID { self.shared.served.find(id) } else { None }
    }

    /// The user's file.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.shared.file.as_deref()
    }

    fn refreshed(&self) -> &Table {
        let read = || self.shared.file.as_deref().map(refreshed::read).unwrap_or_default();
        self.shared.refreshed.get_or_init(|| Table::new(Cow::Owned(read())))
    }

    /// All models of a provider: those that its server listed, else those of the table in its order and then those that only
    /// the user's file has.
    pub(crate) fn entries(&self, provider: &str) -> Vec<Entry> {
        if providers::canonical(provider) == copilot::ID {
            let offered = self.shared.served.offered();
            if !offered.is_empty() {
                let known = |model: &ServedModel| self.known(provider, model.id());
                return offered.into_iter().map(|model| model.clone().entry(known(&model))).collect();
            }
        }
        let embedded = Table::embedded().lines(provider).filter_map(Entry::parse);
        let refreshed = self.refreshed();
        if refreshed.sections.is_empty() {
            return embedded.collect();
        }
        let mut entries: Vec<Entry> =
            embedded.filter_map(|entry| self.find(provider, &entry.id).or(Some(entry))).collect();
        let known: BTreeSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let more = refreshed.lines(provider).filter_map(Entry::parse);
        entries.extend(more.filter(|entry| !known.contains(&entry.id)));
        entries
    }

    /// The model of that name or alias.
    pub(crate) fn find(&self, provider: &str, name: &str) -> Option<Entry> {
        let known = self.known(provider, name);
        let id = known.as_ref().map_or(name, |known| &known.id);
        match self.served_model(provider, id) {
            Some(served) => Some(served.entry(known)),
            None => known,
        }
    }

    /// The model of that name or alias in the table and the user's file.
    fn known(&self, provider: &str, name: &str) -> Option<Entry> {
        let embedded = Table::embedded().find(provider, name);
        let id = embedded.as_ref().map_or(name, |entry| &entry.id);
        let newer = self.refreshed().find(provider, id);
        match (newer, embedded) {
            (Some(newer), Some(entry)) => {
                Some(Entry { abilities: entry.abilities, route: entry.route, ..newer })
            }
            (newer, embedded) => newer.or(embedded),
        }
    }

    /// Up to five known names that are close to a name that is not known, the closest first.
    pub(crate) fn suggestions(&self, provider: &str, name: &str) -> Vec<String> {
        nearest(name, self.entries(provider).into_iter().map(|entry| entry.id))
    }

    /// A provider of the table that needs nothing special, as one of its models reaches it.
    pub(crate) fn provider(&self, id: &str, model: &str) -> Option<Provider> {
        let (line, _) = Table::embedded().section(id)?;
        let mut columns = line.split('\t');
        let (id, name) = (columns.next()?, columns.next()?);
        let variables = columns.next()?.split(',').filter(|name| !name.is_empty());
        let routes: Vec<&'static str> = columns.collect();
        let place = self.find(id, model).map_or(0, |entry| entry.route);
        let (wire, address) = routes.get(place).or(routes.first())?.split_once(' ')?;
        Some(Provider {
            id,
            name,
            wire: wire_of(wire),
            routes: &[],
            auth: Auth::Wire,
            base_url: Cow::Borrowed(address),
            base_url_variables: &[],
            key_variables: variables.collect(),
            key: Key::Required,
            default_model: None,
        })
    }

    /// The wire of a model that the provider of the table reaches by another one than the rest of its models.
    pub(crate) fn wire(&self, provider: &str, model: &str) -> Option<Wire> {
        let entry = self.known(provider, model);
        let id = entry.as_ref().map_or(model, |entry| &entry.id);
        let served = self.served_model(provider, id);
        let routed = entry.and_then(|entry| Self::routed(provider, &entry));
        served.and_then(|served| served.wire(routed)).or(routed)
    }

    fn routed(provider: &str, entry: &Entry) -> Option<Wire> {
        let (line, _) = Table::embedded().section(provider)?;
        let route = line.split('\t').skip(3).nth(entry.route)?;
        Some(wire_of(route.split(' ').next()?))
    }

    /// The ids of all providers of the table.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &'static str> {
        Table::embedded().sections.keys().map(String::as_str)
    }
}

/// A wire with the habits that the table names.
fn wire_of(text: &str) -> Wire {
    let mut words = text.split('+');
    match words.next() {
        Some("messages") => return Wire::Messages,
        Some("responses") => return Wire::Responses,
        Some("gemini") => return Wire::Gemini,
        Some("bedrock") => return Wire::Converse,
        Some(_) | None => {}
    }
    let quirks = words.fold(Quirks::COMMON, |quirks, word| match word {
        "thinking" => Quirks { effort: Effort::Thinking, ..quirks },
        "enable" => Quirks { effort: Effort::EnableThinking, ..quirks },
        "enabled" => Quirks { effort: Effort::Enabled, ..quirks },
        "object" => Quirks { effort: Effort::Object, ..quirks },
        "noeffort" => Quirks { effort: Effort::None, ..quirks },
        "replay" => Quirks { returns_reasoning: true, ..quirks },
        "nine" => Quirks { short_ids: true, ..quirks },
        "nousage" => Quirks { asks_usage: false, ..quirks },
        "inside" => Quirks { result_media: ResultMedia::Inside, ..quirks },
        _ => quirks,
    });
    Wire::ChatCompletions(quirks)
}

/// Up to five of these names that are close to another one, the closest first.
pub(crate) fn nearest(name: &str, known: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(2);
    let mut near: Vec<(usize, String)> = known
        .into_iter()
        .map(Into::into)
        .map(|id: String| (edit_distance(&name, &id), id))
        .filter(|(distance, id)| *distance <= limit || id.contains(&name) || name.contains(id.as_str()))
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().take(5).map(|(_, id)| id).collect()
}

fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(right.chars()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            *cell = replaced.min(before + 1).min(*cell + 1);
            before = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
