//! What of a conversation is replaced by a summary, and when.
//!
//! The last messages stay as they are; everything before the cut becomes the summary, which the entry that is written
//! stands for. A cut never stands between a call and its results. The thresholds are upstream Kit's, except that in a
//! small window at most half of it is reserved, since otherwise nothing would ever fit.

pub(crate) mod material;
pub(crate) mod plan;
pub(crate) mod summary;

use kit_protocol::{CompactionSettings, Message, ModelInfo, Role};

use crate::tokens;

/// The largest reserve that is chosen by itself.
const LARGEST_RESERVE: u64 = 16_384;
/// What is kept where the window is unknown.
const KEPT_WITHOUT_WINDOW: u64 = 20_000;
/// The least that is kept where nobody chose.
const LEAST_KEPT: u64 = 2_000;
/// Fewer messages are not worth a summary.
const LEAST_REPLACED: usize = 2;

/// The limits of a model's context under the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The context window; 0 when unknown.
    pub(crate) window: u64,
    /// What stays free for the answer.
    pub(crate) reserve: u64,
    /// How much of the last messages stays.
    pub(crate) keep: u64,
}

impl Limits {
    /// The limits of a model; `None`: nothing is known about it.
    pub(crate) fn of(model: Option<&ModelInfo>, settings: Option<&CompactionSettings>) -> Self {
        let window = model.map_or(0, |model| model.context_window);
        let answer = model.map(|model| model.max_output).filter(|tokens| *tokens > 0);
        let usual = answer.map_or(LARGEST_RESERVE, |answer| answer.min(LARGEST_RESERVE));
        let chosen = settings.and_then(|settings| settings.reserve_tokens).unwrap_or(usual);
        let reserve = if window == 0 { chosen } else { chosen.min(window / 2) };
        let usual = match window {
            0 => KEPT_WITHOUT_WINDOW,
            window => ((window - reserve) / 4).max(LEAST_KEPT),
        };
        Self { window, reserve, keep: settings.and_then(|settings| settings.keep_tokens).unwrap_or(usual) }
    }

    /// Whether a context of this size leaves too little room. Never in an unknown window.
    pub(crate) fn are_reached(self, tokens: u64) -> bool {
        self.window > 0 && tokens > self.window - self.reserve
    }
}

/// The first message that stays, so that what stays is at least `keep` tokens; `None` when nothing or too little would
/// be replaced.
pub(crate) fn cut(messages: &[Message], keep: u64) -> Option<usize> {
    let mut kept = 0;
    let full = messages.iter().rposition(|message| {
        kept += tokens::of_message(message);
        kept > keep
    })?;
    let rest = messages.get(full..).unwrap_or_default();
    let first = full + rest.iter().position(may_begin)?;
    (first >= LEAST_REPLACED).then_some(first)
}

/// The cut that replaces as much as possible: the last message with its results stays. `None` when there is nothing
/// before it.
pub(crate) fn deepest_cut(messages: &[Message]) -> Option<usize> {
    messages.iter().rposition(may_begin).filter(|first| *first > 0)
}

/// Results belong to the call before them.
fn may_begin(message: &Message) -> bool {
    message.role != Role::Tool
}

/// Where the turn begins that a cut goes through; `None` when the cut stands between two turns.
pub(crate) fn cut_turn(messages: &[Message], cut: usize) -> Option<usize> {
    let first = messages.get(cut)?;
    if first.role == Role::User {
        return None;
    }
    messages.get(..cut)?.iter().rposition(|message| message.role == Role::User)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(context_window: u64, max_output: u64) -> ModelInfo {
        ModelInfo {
            id: "p/m".parse().unwrap(),
            provider: "p".into(),
            name: "m".into(),
            context_window,
            max_output,
            reasoning: false,
            price: None,
            note: None,
        }
    }

    /// One letter for each message, which counts ten tokens.
    fn messages(roles: &str) -> Vec<Message> {
        let role = |letter| match letter {
            'u' => Role::User,
            'a' => Role::Assistant,
            _ => Role::Tool,
        };
        roles.chars().map(|letter| Message::text(role(letter), "x".repeat(40))).collect()
    }

    #[test]
    fn the_limits_are_those_of_upstream() {
        let check = |window, output, expected: (u64, u64)| {
            let limits = Limits::of(Some(&model(window, output)), None);
            assert_eq!((limits.reserve, limits.keep), expected, "{window} {output}");
        };
        check(200_000, 64_000, (16_384, 45_904));
        check(200_000, 8_192, (8_192, 47_952));
        check(0, 0, (16_384, 20_000));
        check(16_000, 0, (8_000, 2_000));
        let chosen = CompactionSettings { reserve_tokens: Some(10), keep_tokens: Some(5), model: None };
        let limits = Limits::of(Some(&model(1000, 0)), Some(&chosen));
        assert_eq!(limits, Limits { window: 1000, reserve: 10, keep: 5 });
        assert_eq!([990, 991].map(|tokens| limits.are_reached(tokens)), [false, true]);
        assert!(!Limits::of(None, None).are_reached(u64::MAX));
    }

    #[test]
    fn a_cut_keeps_enough_and_separates_no_result_from_its_call() {
        let check =
            |roles: &str, keep, expected| assert_eq!(cut(&messages(roles), keep), expected, "{roles} {keep}");
        check("uaua", 15, Some(2));
        check("uauatua", 35, Some(3));
        check("uaattua", 35, Some(5));
        check("uau", 100, None);
        check("uau", 25, None);
        check("uatt", 5, None);
        let deepest = ["uau", "uatt", "u", "", "ut"].map(|roles| deepest_cut(&messages(roles)));
        assert_eq!(deepest, [Some(2), Some(1), None, None, None]);
    }

    #[test]
    fn a_cut_inside_a_turn_knows_where_the_turn_began() {
        let check = |roles: &str, cut, expected| {
            assert_eq!(cut_turn(&messages(roles), cut), expected, "{roles} {cut}")
        };
        check("uaua", 2, None);
        check("uauata", 3, Some(2));
        check("uatat", 3, Some(0));
    }
}
