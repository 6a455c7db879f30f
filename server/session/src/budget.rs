//! What may be spent, per turn, session and day, and whether the next model call still may.
//!
//! A call is let through when what was spent, what other calls under way are expected to cost and what this one costs at
//! least stay within every limit. The check and the reservation for the call are one step under a lock, so that calls that
//! start side by side cannot all take the same rest; the reservation ends when the call is paid or has failed. Another
//! process sees only what was paid, so each process can overshoot the day by the calls that it has under way, and each
//! session by one. Subagents draw from the purse of the session that started them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit_protocol::{Budget, Budgets, CostKind, ErrorKind, KitError, Price, StatusBudget, Usage, UsageTotals};
use kit_provider::{Cost, TokenCounts};

/// Money and tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spend {
    pub(crate) micros: u64,
    pub(crate) tokens: u64,
}

impl Spend {
    fn plus(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_add(other.micros),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_sub(other.micros),
            tokens: self.tokens.saturating_sub(other.tokens),
        }
    }
}

impl From<&UsageTotals> for Spend {
    fn from(totals: &UsageTotals) -> Self {
        let tokens =
            [totals.input_tokens, totals.output_tokens, totals.cache_read_tokens, totals.cache_write_tokens];
        Self {
            micros: totals.cost_micros.unwrap_or(0),
            tokens: tokens.into_iter().fold(0, u64::saturating_add),
        }
    }
}

impl From<&Usage> for Spend {
    fn from(usage: &Usage) -> Self {
        let mut totals = UsageTotals::default();
        totals.add(usage);
        Self::from(&totals)
    }
}

/// What a call costs at least: its input, of which as much comes from the provider's cache as did at the last call.
pub(crate) fn least_cost(tokens: u64, price: Option<Price>, last: Option<&Usage>) -> Spend {
    let cached = last.map_or(0, |last| last.cache_read_tokens.saturating_add(last.cache_write_tokens));
    let cached = cached.min(tokens);
    let by_subscription = last.is_some_and(|last| last.cost_kind == CostKind::Subscription);
    let micros = price.filter(|_| !by_subscription).and_then(|price| {
        let counts = TokenCounts { input: tokens - cached, cache_read: cached, ..TokenCounts::default() };
        Cost::of(counts, price).micros
    });
    Spend { micros: micros.unwrap_or(0), tokens }
}

/// What a budget is for. A smaller one is asked about first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Turn,
    Session,
    Day,
}

impl Scope {
    /// The scope in one word, as the settings name it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Session => "session",
            Self::Day => "day",
        }
    }
}

/// Limits of one scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limit {
    micros: Option<u64>,
    tokens: Option<u64>,
}

impl From<Option<Budget>> for Limit {
    fn from(budget: Option<Budget>) -> Self {
        let budget = budget.unwrap_or_default();
        Self { micros: budget.usd.and_then(micros), tokens: budget.tokens }
    }
}

/// Micro-USD from USD; `None` for what is no amount.
fn micros(usd: f64) -> Option<u64> {
    let micros = (usd * 1e6).round();
    // A rounded float prints as its exact digits, and parsing refuses what is negative or does not fit.
    if micros.is_finite() { format!("{micros:.0}").parse().ok() } else { None }
}

/// The limits of all scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    turn: Limit,
    session: Limit,
    day: Limit,
}

impl From<Option<Budgets>> for Limits {
    fn from(budgets: Option<Budgets>) -> Self {
        let budgets = budgets.unwrap_or_default();
        Self { turn: budgets.turn.into(), session: budgets.session.into(), day: budgets.day.into() }
    }
}

impl Limits {
    fn of(&self, scope: Scope) -> Limit {
        match scope {
            Scope::Turn => self.turn,
            Scope::Session => self.session,
            Scope::Day => self.day,
        }
    }

    /// Whether anything is limited.
    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Whether the day is.
    pub(crate) fn has_day(&self) -> bool {
        self.day != Limit::default()
    }

    /// Whether money is limited anywhere.
    pub(crate) fn has_money(&self) -> bool {
        [self.turn, self.session, self.day].iter().any(|limit| limit.micros.is_some())
    }
}

/// What a limit is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Micros,
    Tokens,
}

/// An amount in whole cents.
fn cents(micros: u64) -> u64 {
    micros.saturating_add(5_000) / 10_000
}

/// An amount in hundredths of a cent, no smaller than it is.
fn fine_money(micros: u64) -> String {
    let hundredths = micros.div_ceil(100);
    format!("${}.{:04}", hundredths / 10_000, hundredths % 10_000)
}

/// A limit and what is used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) scope: Scope,
    pub(crate) unit: Unit,
    pub(crate) limit: u64,
    pub(crate) used: u64,
    /// What the next call needs at least.
    pub(crate) next: u64,
}

impl Level {
    fn exceeds(&self) -> bool {
        self.used >= self.limit || self.used.saturating_add(self.next) > self.limit
    }

    /// An amount in words.
    pub(crate) fn amount(&self, amount: u64) -> String {
        match self.unit {
            Unit::Micros if amount < 10_000 => fine_money(amount),
            Unit::Micros => {
                let cents = cents(amount);
                format!("${}.{:02}", cents / 100, cents % 100)
            }
            Unit::Tokens => format!("{amount} tokens"),
        }
    }

    /// What happened, as one sentence.
    pub(crate) fn sentence(&self) -> String {
        // In whole cents the two parts may seem to fit.
        let seems_to_fit = cents(self.used).saturating_add(cents(self.next)) <= cents(self.limit);
        let part = |amount| match self.unit {
            Unit::Micros if seems_to_fit => fine_money(amount),
            Unit::Micros | Unit::Tokens => self.amount(amount),
        };
        let (limit, used, next) = (self.amount(self.limit), part(self.used), part(self.next));
        let scope = self.scope.word();
        format!(
            "the budget of this {scope}, {limit}, does not allow the next model call: {used} are used, and the call needs at least {next}"
        )
    }

    /// The same with what to do about it.
    pub(crate) fn refusal(&self) -> String {
        format!("{}; raise `budget.{}` in the settings to go on", self.sentence(), self.scope.word())
    }

    /// The level as the status has it.
    pub(crate) fn to_status(self) -> StatusBudget {
        let (limit, used) = (Some(self.limit), Some(self.used));
        let scope = self.scope.word().to_owned();
        match self.unit {
            Unit::Micros => StatusBudget {
                limit_micros: limit,
                used_micros: used,
                limit_tokens: None,
                used_tokens: None,
                scope,
            },
            Unit::Tokens => StatusBudget {
                limit_micros: None,
                used_micros: None,
                limit_tokens: limit,
                used_tokens: used,
                scope,
            },
        }
    }

    /// How much of the limit is used, in ten-thousandths.
    fn share(&self) -> u128 {
        u128::from(self.used) * 10_000 / u128::from(self.limit.max(1))
    }
}

impl From<Level> for KitError {
    fn from(level: Level) -> Self {
        Self::new(ErrorKind::Budget, level.refusal())
    }
}

/// What was spent in a scope, and by how much the user raised its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    spent: Spend,
    reserved: Spend,
    raised: Spend,
}

impl Account {
    fn levels(&self, scope: Scope, limit: Limit, next: Spend) -> impl Iterator<Item = Level> {
        let used = self.spent.plus(self.reserved);
        let level = |unit, limit: Option<u64>, raised: u64, used, next| {
            limit.map(|limit| Level { scope, unit, limit: limit.saturating_add(raised), used, next })
        };
        [
            level(Unit::Micros, limit.micros, self.raised.micros, used.micros, next.micros),
            level(Unit::Tokens, limit.tokens, self.raised.tokens, used.tokens, next.tokens),
        ]
        .into_iter()
        .flatten()
    }
}

#[derive(Debug, Default)]
struct Accounts {
    turn: Account,
    session: Account,
}

/// The accounts of a session and its subagents.
#[derive(Debug, Default)]
pub(crate) struct Purse(Mutex<Accounts>);

impl Purse {
    /// A purse of a session that spent this already.
    pub(crate) fn new(spent: &UsageTotals) -> Arc<Self> {
        let session = Account { spent: spent.into(), ..Account::default() };
        Arc::new(Self(Mutex::new(Accounts { session, ..Accounts::default() })))
    }

    /// A turn of the session begins.
    pub(crate) fn begin_turn(&self) {
        let mut accounts = self.lock();
        accounts.turn = Account { reserved: accounts.turn.reserved, ..Account::default() };
    }

    /// A call was paid.
    pub(crate) fn pay(&self, usage: &Usage) {
        let mut accounts = self.lock();
        let spend = Spend::from(usage);
        accounts.turn.spent = accounts.turn.spent.plus(spend);
        accounts.session.spent = accounts.session.spent.plus(spend);
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Today {
    day: String,
    account: Account,
}

/// The account of the day, as far as this process knows it.
#[derive(Debug, Default)]
pub(crate) struct DayPurse(Mutex<Today>);

impl DayPurse {
    /// What all processes spent on a day.
    pub(crate) fn set(&self, day: &str, totals: &UsageTotals) {
        let mut today = self.lock();
        if today.day != day {
            // What the user allowed yesterday does not hold today.
            today.account.raised = Spend::default();
            day.clone_into(&mut today.day);
        }
        today.account.spent = totals.into();
    }

    fn lock(&self) -> MutexGuard<'_, Today> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The accounts that a session draws from.
#[derive(Clone, Debug)]
pub(crate) struct Purses {
    pub(crate) own: Arc<Purse>,
    pub(crate) day: Arc<DayPurse>,
}

impl Purses {
    /// Reserves what a call needs at least; or the first limit that does not allow it.
    pub(crate) fn reserve(&self, limits: Limits, next: Spend) -> Result<Reservation, Level> {
        let (mut accounts, mut today) = (self.own.lock(), self.day.lock());
        if let Some(level) = levels(&accounts, &today, limits, next).find(Level::exceeds) {
            return Err(level);
        }
        take(&mut accounts, &mut today, next);
        Ok(Reservation { purses: self.clone(), amount: next })
    }

    /// Reserves what a call needs, whatever the limits say.
    pub(crate) fn reserve_anyway(&self, next: Spend) -> Reservation {
        take(&mut self.own.lock(), &mut self.day.lock(), next);
        Reservation { purses: self.clone(), amount: next }
    }

    /// Raises the limit of a scope by its original amount, and at least so far that the call is allowed.
    pub(crate) fn raise(&self, limits: Limits, level: &Level) {
        let more = raise_of(limits, level);
        let spend = match level.unit {
            Unit::Micros => Spend { micros: more, tokens: 0 },
            Unit::Tokens => Spend { micros: 0, tokens: more },
        };
        let (mut accounts, mut today) = (self.own.lock(), self.day.lock());
        let account = match level.scope {
            Scope::Turn => &mut accounts.turn,
            Scope::Session => &mut accounts.session,
            Scope::Day => &mut today.account,
        };
        account.raised = account.raised.plus(spend);
    }

    /// The limit that is used up most.
    pub(crate) fn fullest(&self, limits: Limits) -> Option<Level> {
        let (accounts, today) = (self.own.lock(), self.day.lock());
        levels(&accounts, &today, limits, Spend::default()).max_by_key(Level::share)
    }
}

/// By how much the limit of a level is raised.
pub(crate) fn raise_of(limits: Limits, level: &Level) -> u64 {
    let limit = limits.of(level.scope);
    let original = match level.unit {
        Unit::Micros => limit.micros,
        Unit::Tokens => limit.tokens,
    };
    let missing = level.used.saturating_add(level.next).saturating_sub(level.limit);
    original.unwrap_or(0).max(missing.saturating_add(1))
}

fn levels(accounts: &Accounts, today: &Today, limits: Limits, next: Spend) -> impl Iterator<Item = Level> {
    let turn = accounts.turn.levels(Scope::Turn, limits.turn, next);
    let session = accounts.session.levels(Scope::Session, limits.session, next);
    turn.chain(session).chain(today.account.levels(Scope::Day, limits.day, next))
}

fn take(accounts: &mut Accounts, today: &mut Today, amount: Spend) {
    for account in [&mut accounts.turn, &mut accounts.session, &mut today.account] {
        account.reserved = account.reserved.plus(amount);
    }
}

/// What a call under way is expected to cost; given back when it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Reservation {
    purses: Purses,
    amount: Spend,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let (mut accounts, mut today) = (self.purses.own.lock(), self.purses.day.lock());
        let Accounts { turn, session } = &mut *accounts;
        for account in [turn, session, &mut today.account] {
            account.reserved = account.reserved.minus(self.amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::tests::usage;

    fn limits(turn: Option<Budget>, day: Option<Budget>) -> Limits {
        Limits::from(Some(Budgets { turn, session: None, day }))
    }

    fn tokens(tokens: u64) -> Option<Budget> {
        Some(Budget { usd: None, tokens: Some(tokens) })
    }

    fn need(tokens: u64) -> Spend {
        Spend { micros: 0, tokens }
    }

    fn purses() -> Purses {
        Purses { own: Purse::new(&UsageTotals::default()), day: Arc::default() }
    }

    #[test]
    fn a_call_that_would_exceed_is_not_let_through_and_a_raise_lets_it() {
        let (purses, limits) = (purses(), limits(tokens(2000), None));
        drop(purses.reserve(limits, need(1500)).unwrap());
        purses.own.pay(&usage(1));
        let level = purses.reserve(limits, need(1500)).unwrap_err();
        let expected = Level { scope: Scope::Turn, unit: Unit::Tokens, limit: 2000, used: 1111, next: 1500 };
        assert_eq!(level, expected);
        purses.raise(limits, &level);
        assert!(purses.reserve(limits, need(1500)).is_ok());
        assert_eq!(purses.fullest(limits).unwrap().limit, 4000);
        purses.own.begin_turn();
        assert_eq!(purses.fullest(limits), Some(Level { used: 0, next: 0, ..expected }));
    }

    #[test]
    fn a_limit_that_is_used_up_stops_even_a_call_without_cost() {
        let limits = limits(Some(Budget { usd: Some(0.000_001), tokens: None }), None);
        let purses = purses();
        assert!(purses.reserve(limits, Spend::default()).is_ok());
        purses.own.pay(&usage(1));
        assert_eq!(purses.reserve(limits, Spend::default()).unwrap_err().unit, Unit::Micros);
    }

    #[test]
    fn calls_side_by_side_cannot_take_the_same_rest() {
        let limits = limits(None, tokens(2000));
        let day: Arc<DayPurse> = Arc::default();
        let one = Purses { day: Arc::clone(&day), ..purses() };
        let two = Purses { day: Arc::clone(&day), ..purses() };
        let first = one.reserve(limits, need(1200)).unwrap();
        let refused = two.reserve(limits, need(1200)).unwrap_err();
        assert_eq!((refused.scope, refused.used), (Scope::Day, 1200));
        drop(first);
        assert!(two.reserve(limits, need(1200)).is_ok());
    }

    #[test]
    fn what_was_allowed_on_one_day_does_not_hold_on_the_next() {
        let (purses, limits) = (purses(), limits(None, tokens(1000)));
        purses.day.set("2026-11-21", &UsageTotals { input_tokens: 1000, ..UsageTotals::default() });
        let level = purses.reserve(limits, need(10)).unwrap_err();
        purses.raise(limits, &level);
        purses.day.set("2026-11-21", &UsageTotals { input_tokens: 1500, ..UsageTotals::default() });
        assert!(purses.reserve(limits, need(10)).is_ok());
        purses.day.set("2026-11-22", &UsageTotals { input_tokens: 1000, ..UsageTotals::default() });
        assert!(purses.reserve(limits, need(10)).is_err());
    }

    #[test]
    fn the_least_cost_counts_cached_input_at_its_price_and_subscriptions_at_none() {
        let price =
            Price { input: 3_000_000, output: 15_000_000, cache_read: Some(300_000), cache_write: None };
        let cost = |last: Option<&Usage>, price| least_cost(10_000, price, last).micros;
        let by_subscription = Usage { cost_kind: CostKind::Subscription, ..usage(1) };
        assert_eq!(
            [
                cost(None, Some(price)),
                cost(Some(&usage(1)), Some(price)),
                cost(Some(&by_subscription), Some(price)),
                cost(None, None)
            ],
            [30_000, 26_700 + 330, 0, 0]
        );
    }

    #[test]
    fn amounts_read_like_money_or_tokens() {
        let level = |unit| Level { scope: Scope::Day, unit, limit: 5_000_000, used: 4_980_000, next: 41_600 };
        assert_eq!(
            level(Unit::Micros).sentence(),
            "the budget of this day, $5.00, does not allow the next model call: $4.98 are used, and the call needs at least $0.04"
        );
        let close = Level { limit: 20_000, used: 10_950, next: 10_210, ..level(Unit::Micros) };
        assert_eq!(
            close.sentence(),
            "the budget of this day, $0.02, does not allow the next model call: $0.0110 are used, and the call needs at least $0.0103"
        );
        assert_eq!(
            [9_900, 10_000, 0].map(|amount| level(Unit::Micros).amount(amount)),
            ["$0.0099", "$0.01", "$0.0000"]
        );
        assert_eq!(level(Unit::Tokens).amount(41_600), "41600 tokens");
        assert_eq!([0.1, 1.0, -1.0, f64::NAN].map(micros), [Some(100_000), Some(1_000_000), None, None]);
    }
}
