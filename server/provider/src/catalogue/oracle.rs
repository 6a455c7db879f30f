//! Costs compared with a price list that others keep: every model that both know, and calls of several shapes.
//!
//! What differs is listed in `data/price_differences.tsv` with the reason, and a difference that is not listed fails.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use genai_prices::{PriceRequest, Usage, UsageKey};

use super::*;
use crate::usage::TokenCounts;

/// Providers under both names.
const PROVIDERS: [(&str, &str); 7] = [
    ("anthropic", "anthropic"),
    ("openai", "openai"),
    ("google", "google"),
    ("mistral", "mistral"),
    ("groq", "groq"),
    ("xai", "x-ai"),
    ("deepseek", "deepseek"),
];
/// 2026-11-21, so that prices by date stay the same.
const NOW: Duration = Duration::from_secs(1_795_255_200);

fn calls() -> [TokenCounts; 5] {
    let call = |input, output, cache_read, cache_write, cache_write_hour| TokenCounts {
        input,
        output,
        cache_read,
        cache_write,
        cache_write_hour,
        reasoning: None,
    };
    [
        call(1000, 700, 0, 0, 0),
        call(1000, 700, 50_000, 0, 0),
        call(1000, 700, 50_000, 500, 0),
        call(100_000, 1000, 200_000, 0, 0),
        call(1, 1, 0, 0, 0),
    ]
}

fn theirs(provider: &str, model: &str, tokens: TokenCounts) -> Option<f64> {
    let count = |count: u64| f64::from(u32::try_from(count).unwrap());
    let mut usage = Usage::from([
        (UsageKey::INPUT_TOKENS, count(tokens.total_input())),
        (UsageKey::OUTPUT_TOKENS, count(tokens.output)),
        (UsageKey::CACHE_READ_TOKENS, count(tokens.cache_read)),
    ]);
    if tokens.cache_write > 0 {
        usage.insert(UsageKey::CACHE_WRITE_TOKENS, count(tokens.cache_write));
    }
    let request =
        PriceRequest::new(model, &usage).with_provider_id(provider).with_timestamp(UNIX_EPOCH + NOW);
    let price = genai_prices::calculate(&request).ok()?;
    // A name may be matched by its beginning, and then it is the price of another model.
    (price.model_id == model).then_some(price.total_price)
}

#[test]
fn costs_are_those_of_an_independent_price_list() {
    let mut compared = 0;
    let mut different = BTreeSet::new();
    for (provider, their_name) in PROVIDERS {
        for entry in Catalogue::default().entries(provider) {
            let Some(prices) = &entry.prices else { continue };
            for tokens in calls() {
                let Some(theirs) = theirs(their_name, &entry.id, tokens) else { continue };
                compared += 1;
                let ours = prices.cost(tokens).micros.unwrap();
                let theirs = crate::usage::micros(theirs / 1e6 * 1e6).unwrap();
                if ours.abs_diff(theirs) > 1 {
                    different.insert(format!("{provider}/{}", entry.id));
                }
            }
        }
    }
    let listed =
        include_str!("../../data/price_differences.tsv").lines().filter(|line| !line.starts_with('#'));
    let listed: BTreeSet<String> =
        listed.filter_map(|line| Some(line.split('\t').next()?.to_owned())).collect();
    assert!(compared > 200, "{compared} costs compared");
    assert_eq!(different, listed);
}
