//! From a thinking level to what a model understands: an effort or a token budget.
//!
//! A level that a model lacks falls to the nearest one that it has.

use kit_protocol::ThinkingLevel;

use crate::catalogue::Abilities;

/// Tokens that an answer gets beside its reasoning budget.
pub(crate) const ANSWER_ROOM: u64 = 4096;

/// The reasoning budget of a level in tokens; `None` for no reasoning.
pub(crate) fn budget(level: ThinkingLevel) -> Option<u64> {
    match level {
        ThinkingLevel::Off => None,
        ThinkingLevel::None | ThinkingLevel::Minimal => Some(1024),
        ThinkingLevel::Low => Some(4096),
        ThinkingLevel::Medium => Some(10_240),
        ThinkingLevel::High => Some(20_480),
    }
}

/// The effort to ask for; `None` to leave it to the model.
pub(crate) fn effort(level: ThinkingLevel, abilities: Abilities) -> Option<&'static str> {
    if !abilities.reasoning {
        return None;
    }
    let low = match (abilities.no_low, abilities.no_medium) {
        (false, _) => "low",
        (true, false) => "medium",
        (true, true) => "high",
    };
    let least = if abilities.effort_minimal { "minimal" } else { low };
    match level {
        ThinkingLevel::Off => abilities.effort_none.then_some("none"),
        ThinkingLevel::None => Some(if abilities.effort_none { "none" } else { least }),
        ThinkingLevel::Minimal => Some(least),
        ThinkingLevel::Low => Some(low),
        ThinkingLevel::Medium => Some(if abilities.no_medium { "high" } else { "medium" }),
        ThinkingLevel::High => Some("high"),
    }
}

/// How a model is told how much to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dial {
    /// By one of a few words.
    Effort,
    /// By a number of tokens.
    Budget,
}

/// The level that a model has instead of one that it lacks. What nobody knows the levels of is taken at its word.
pub(crate) fn nearest(level: ThinkingLevel, abilities: Abilities, dial: Dial) -> ThinkingLevel {
    if !abilities.known {
        return level;
    }
    if !abilities.reasoning {
        return ThinkingLevel::Off;
    }
    let off = if abilities.always_reasons { ThinkingLevel::Low } else { ThinkingLevel::Off };
    match (dial, level) {
        (Dial::Budget, ThinkingLevel::None) => ThinkingLevel::Minimal,
        (
            Dial::Budget,
            ThinkingLevel::Minimal | ThinkingLevel::Low | ThinkingLevel::Medium | ThinkingLevel::High,
        ) => level,
        (Dial::Budget | Dial::Effort, ThinkingLevel::Off) => off,
        (Dial::Effort, _) => match effort(level, abilities) {
            None => off,
            Some("none") => ThinkingLevel::None,
            Some("minimal") => ThinkingLevel::Minimal,
            Some("low") => ThinkingLevel::Low,
            Some("medium") => ThinkingLevel::Medium,
            Some(_) => ThinkingLevel::High,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [ThinkingLevel; 6] = [
        ThinkingLevel::Off,
        ThinkingLevel::None,
        ThinkingLevel::Minimal,
        ThinkingLevel::Low,
        ThinkingLevel::Medium,
        ThinkingLevel::High,
    ];

    #[test]
    fn budgets_grow_with_the_level() {
        assert_eq!(
            LEVELS.map(budget),
            [None, Some(1024), Some(1024), Some(4096), Some(10_240), Some(20_480)]
        );
    }

    #[test]
    fn a_missing_effort_falls_to_the_nearest() {
        let none = Abilities { effort_none: true, ..Abilities::UNKNOWN };
        let minimal = Abilities { effort_minimal: true, ..Abilities::UNKNOWN };
        let mute = Abilities { reasoning: false, ..Abilities::UNKNOWN };
        let check = |abilities| LEVELS.map(|level| effort(level, abilities).unwrap_or("-"));
        assert_eq!(check(none), ["none", "none", "low", "low", "medium", "high"]);
        assert_eq!(check(minimal), ["-", "minimal", "minimal", "low", "medium", "high"]);
        assert_eq!(check(Abilities::UNKNOWN), ["-", "low", "low", "low", "medium", "high"]);
        assert_eq!(check(mute), ["-"; 6]);
        let high = Abilities { no_low: true, no_medium: true, ..none };
        assert_eq!(check(high), ["none", "none", "high", "high", "high", "high"]);
        let two = Abilities { no_low: true, ..Abilities::UNKNOWN };
        assert_eq!(check(two), ["-", "medium", "medium", "medium", "medium", "high"]);
    }

    #[test]
    fn a_missing_level_becomes_the_nearest() {
        use ThinkingLevel::{High, Low, Medium, Minimal, None, Off};
        let known = Abilities { known: true, ..Abilities::UNKNOWN };
        let check = |abilities, dial| LEVELS.map(|level| nearest(level, abilities, dial));
        assert_eq!(check(Abilities::UNKNOWN, Dial::Effort), LEVELS);
        assert_eq!(check(Abilities { reasoning: false, ..known }, Dial::Effort), [Off; 6]);
        assert_eq!(check(known, Dial::Budget), [Off, Minimal, Minimal, Low, Medium, High]);
        assert_eq!(check(known, Dial::Effort), [Off, Low, Low, Low, Medium, High]);
        let always = Abilities { always_reasons: true, no_low: true, ..known };
        assert_eq!(check(always, Dial::Effort), [Low, Medium, Medium, Medium, Medium, High]);
        let fine = Abilities { effort_none: true, effort_minimal: true, ..known };
        assert_eq!(check(fine, Dial::Effort), [Off, None, Minimal, Low, Medium, High]);
    }
}
