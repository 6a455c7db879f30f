//! Tokens of one call and what they cost, in integer micro-USD.
//!
//! Every token class is priced in micro-USD per million tokens. The products are summed exactly and rounded once,
//! half up, so the cost of a call is within half a micro-USD of the exact value and the sum over calls never drifts
//! by more than that per call.

use kit_protocol::{CostKind, Price};

/// Prices of a model, which may depend on how much a call reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prices {
    pub(crate) base: Price,
    /// By rising threshold; the last one that applies prices the whole call.
    pub(crate) tiers: Vec<Tier>,
}

/// The price of calls with a large input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tier {
    /// It applies to calls that read more tokens than this.
    pub(crate) above: u64,
    pub(crate) price: Price,
}

/// A price in micro-USD from one in USD, both per million tokens, rounded to the nearest.
pub(crate) fn micros(dollars: f64) -> Option<u64> {
    let micros = (dollars * 1e6).round();
    // A rounded float prints as its exact digits, and parsing refuses what is negative or does not fit.
    if micros.is_finite() { format!("{micros:.0}").parse().ok() } else { None }
}

impl Prices {
    /// The cost of a call, with the tier that its total input selects.
    pub(crate) fn cost(&self, tokens: TokenCounts) -> Cost {
        let total = tokens.total_input();
        let tier = self.tiers.iter().filter(|tier| total > tier.above).max_by_key(|tier| tier.above);
        Cost::of(tokens, tier.map_or(self.base, |tier| tier.price))
    }
}

/// Tokens of one call. The classes do not overlap, except that reasoning is a part of the output and what is cached for an
/// hour is a part of what is cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Fresh input, without what a cache served or stored.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from the provider's cache.
    pub cache_read: u64,
    /// Input written to the provider's cache.
    pub cache_write: u64,
    /// The part of it that the cache keeps for an hour, which costs more.
    pub cache_write_hour: u64,
    /// Reasoning among the output, where the provider says so.
    pub reasoning: Option<u64>,
}

impl TokenCounts {
    /// Everything that the model read: what counts against its context window before the answer.
    pub fn total_input(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }
}

/// The cost of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Micro-USD; `None` when no price is known, which is not the same as free.
    pub micros: Option<u64>,
    /// Where the figure comes from.
    pub kind: CostKind,
}

impl Cost {
    /// The cost without a known price.
    pub const UNKNOWN: Self = Self { micros: None, kind: CostKind::Unknown };

    /// The cost of a call that a plan pays for.
    pub const SUBSCRIPTION: Self = Self { micros: Some(0), kind: CostKind::Subscription };

    /// Tokens times prices. A missing cache price is the input price, as providers bill it; an hour in the cache costs
    /// twice the input price wherever it is sold.
    pub fn of(tokens: TokenCounts, price: Price) -> Self {
        let hour = tokens.cache_write_hour.min(tokens.cache_write);
        let product = |count: u64, price: u64| u128::from(count) * u128::from(price);
        let millionths = product(tokens.input, price.input)
            + product(tokens.output, price.output)
            + product(tokens.cache_read, price.cache_read.unwrap_or(price.input))
            + product(tokens.cache_write - hour, price.cache_write.unwrap_or(price.input))
            + product(hour, price.input.saturating_mul(2));
        let micros = u64::try_from((millionths + 500_000) / 1_000_000).unwrap_or(u64::MAX);
        Self { micros: Some(micros), kind: CostKind::Priced }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        input: 3_000_000,
        output: 15_000_000,
        cache_read: Some(300_000),
        cache_write: Some(3_750_000),
    };

    fn micros(tokens: TokenCounts, price: Price) -> Option<u64> {
        Cost::of(tokens, price).micros
    }

    #[test]
    fn every_class_has_its_price() {
        let tokens = TokenCounts {
            input: 1000,
            output: 700,
            cache_read: 50_000,
            cache_write: 500,
            cache_write_hour: 0,
            reasoning: Some(100),
        };
        assert_eq!(micros(tokens, PRICE), Some(3_000 + 10_500 + 15_000 + 1_875));
    }

    #[test]
    fn an_hour_in_the_cache_costs_twice_the_input() {
        let tokens = TokenCounts { cache_write: 2000, cache_write_hour: 1500, ..TokenCounts::default() };
        assert_eq!(micros(tokens, PRICE), Some(1_875 + 9_000));
        let more = TokenCounts { cache_write: 10, cache_write_hour: 20, ..TokenCounts::default() };
        assert_eq!(micros(more, PRICE), Some(60));
    }

    #[test]
    fn missing_cache_prices_are_the_input_price() {
        let price = Price { cache_read: None, cache_write: None, ..PRICE };
        let tokens = TokenCounts { cache_read: 10, cache_write: 10, ..TokenCounts::default() };
        assert_eq!(micros(tokens, price), Some(60));
    }

    #[test]
    fn rounds_once_and_half_up() {
        let price = Price { input: 500_000, output: 250_000, cache_read: None, cache_write: None };
        assert_eq!(micros(TokenCounts { input: 1, ..TokenCounts::default() }, price), Some(1));
        assert_eq!(micros(TokenCounts { output: 1, ..TokenCounts::default() }, price), Some(0));
        assert_eq!(micros(TokenCounts { output: 2, input: 0, ..TokenCounts::default() }, price), Some(1));
    }

    #[test]
    fn a_large_input_selects_the_tier_for_the_whole_call() {
        let price = |input, output, cache_read| Price { input, output, cache_read, cache_write: None };
        let prices = Prices {
            base: price(2_500_000, 15_000_000, Some(250_000)),
            tiers: vec![Tier { above: 272_000, price: price(5_000_000, 22_500_000, Some(500_000)) }],
        };
        let tokens =
            |input| TokenCounts { input, output: 1000, cache_read: 200_000, ..TokenCounts::default() };
        assert_eq!(prices.cost(tokens(100_000)).micros, Some(500_000 + 22_500 + 100_000));
        assert_eq!(prices.cost(tokens(72_000)).micros, Some(180_000 + 15_000 + 50_000));
    }

    #[test]
    fn dollars_become_micros() {
        let values = [0.0, 0.000_000_4, 0.1, 15.0, -1.0, f64::NAN, f64::INFINITY, 1e300].map(super::micros);
        assert_eq!(values, [Some(0), Some(0), Some(100_000), Some(15_000_000), None, None, None, None]);
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        let tokens = TokenCounts { input: u64::MAX, ..TokenCounts::default() };
        assert_eq!(micros(tokens, Price { input: u64::MAX, ..PRICE }), Some(u64::MAX));
    }
}
