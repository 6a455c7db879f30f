//! What is known about models without asking their provider: limits, abilities, prices, other names.
//!
//! The table is text that is embedded and scanned when a model is looked up; nothing is parsed at start. A model that
//! the table does not know may be used all the same: its limits and price are then unknown.

use kit_protocol::{ModelId, ModelInfo, Price};

use crate::providers;
use crate::usage::{Prices, Tier};

const TABLE: &str = include_str!("../data/models.tsv");

/// One model of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) context_window: u64,
    pub(crate) max_output: u64,
    pub(crate) abilities: Abilities,
    pub(crate) prices: Option<Prices>,
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
            fixed_sampling: has('f'),
            known: true,
        }
    }
}

impl Entry {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        let (id, name) = (next()?, next()?);
        let (context_window, max_output) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let abilities = Abilities::parse(next()?);
        let base = price([next(), next(), next(), next()]);
        let tiers = next().unwrap_or_default().split(';').filter_map(tier).collect();
        let prices = base.map(|base| Prices { base, tiers });
        Some(Self { id, name, context_window, max_output, abilities, prices })
    }

    /// The line of a model list.
    pub(crate) fn info(&self, id: ModelId) -> ModelInfo {
        ModelInfo {
            provider: id.provider().to_owned(),
            id,
            name: self.name.to_owned(),
            context_window: self.context_window,
            max_output: self.max_output,
            reasoning: self.abilities.reasoning,
            price: self.prices.as_ref().map(|prices| prices.base),
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

fn section(provider: &str) -> impl Iterator<Item = &'static str> {
    let provider = providers::canonical(provider);
    let mut lines = TABLE.lines();
    let found = lines.any(|line| line.strip_prefix('@') == Some(provider));
    lines.take_while(move |line| found && !line.starts_with('@'))
}

/// All models of a provider, in the order of the table.
pub(crate) fn entries(provider: &str) -> impl Iterator<Item = Entry> {
    section(provider).filter_map(Entry::parse)
}

/// The model of that name or alias.
pub(crate) fn find(provider: &str, name: &str) -> Option<Entry> {
    let alias = section(provider).find_map(|line| line.split_once(" = ").filter(|(alias, _)| *alias == name));
    let id = alias.map_or(name, |(_, id)| id);
    let has_id = |line: &&str| line.split('\t').next() == Some(id) && line.contains('\t');
    section(provider).find(has_id).and_then(Entry::parse)
}

/// Up to five known names that are close to a name that is not known, the closest first.
pub(crate) fn suggestions(provider: &str, name: &str) -> Vec<&'static str> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(2);
    let mut near: Vec<(usize, &str)> = entries(provider)
        .map(|entry| (edit_distance(&name, entry.id), entry.id))
        .filter(|(distance, id)| *distance <= limit || id.contains(&name) || name.contains(id))
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
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_model_an_alias_or_a_comment() {
        let mut provider = "";
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('@') {
                provider = name;
            } else if let Some((alias, id)) = line.split_once(" = ") {
                assert_eq!(find(provider, alias).map(|entry| entry.id), Some(id), "{line}");
            } else {
                let entry = Entry::parse(line);
                let sound = entry.as_ref().is_some_and(|entry| {
                    let columns = line.split('\t').skip(5).filter(|column| !column.is_empty()).count();
                    let flags = line.split('\t').nth(4).unwrap();
                    let tiers = entry.prices.iter().flat_map(|prices| &prices.tiers).count();
                    entry.max_output <= entry.context_window
                        && flags.chars().all(|flag| "-iradnmf".contains(flag))
                        && (columns == 0) == entry.prices.is_none()
                        && tiers == line.split('\t').nth(9).map_or(0, |tiers| tiers.split(';').count())
                });
                assert!(sound, "{provider}: {line}");
                assert_eq!(find(provider, line.split('\t').next().unwrap()), entry);
            }
        }
    }

    #[test]
    fn reads_every_column() {
        let expected = Entry {
            id: "claude-haiku-5-5",
            name: "Claude Haiku 5.5",
            context_window: 1_000_000,
            max_output: 128_000,
            abilities: Abilities {
                images: true,
                reasoning: true,
                adaptive: true,
                always_reasons: false,
                effort_none: false,
                effort_minimal: false,
                fixed_sampling: true,
                known: true,
            },
            prices: Some(Prices {
                base: Price {
                    input: 100_000,
                    output: 500_000,
                    cache_read: Some(10_000),
                    cache_write: Some(125_000),
                },
                tiers: vec![Tier {
                    above: 100_000,
                    price: Price {
                        input: 500_000,
                        output: 2_500_000,
                        cache_read: Some(50_000),
                        cache_write: Some(625_000),
                    },
                }],
            }),
        };
        assert_eq!(find("anthropic", "claude-haiku-latest"), Some(expected));
        assert_eq!(find("anthropic", "claude-none"), None);
        assert_eq!(find("nobody", "claude-haiku-5-5"), None);
    }

    #[test]
    fn suggests_names_that_are_close() {
        let near = ["gpt-5.4-mini", "gpt-4.1-mini", "gpt-5-mini", "gpt-5.4-nano", "gpt-5.4"];
        assert_eq!(suggestions("openai", "gpt-5.4-min"), near);
        assert_eq!(suggestions("anthropic", "sonnet").len(), 5);
        assert_eq!(suggestions("anthropic", "llama3"), [""; 0]);
    }

    #[test]
    fn edit_distance_counts_single_changes() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }
}
