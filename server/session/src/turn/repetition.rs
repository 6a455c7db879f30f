//! Notices that a model goes in circles: the same call, with the same arguments and the same result, again and again.
//!
//! Calls of a turn are counted by tool, arguments and result, whatever stands between them, so that two calls in turns
//! are a circle too. A prompt that joins the turn begins the count anew, because the model has something new to go by.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use kit_protocol::RepeatedCalls;

const NOTE_AT: u32 = 3;
const ASK_AT: u32 = 6;

/// At how many identical calls what happens; 0 means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) note: u32,
    pub(crate) ask: u32,
}

impl From<Option<RepeatedCalls>> for Thresholds {
    fn from(settings: Option<RepeatedCalls>) -> Self {
        let settings = settings.unwrap_or_default();
        Self { note: settings.note.unwrap_or(NOTE_AT), ask: settings.ask.unwrap_or(ASK_AT) }
    }
}

/// A call that was made too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repetition {
    pub(crate) tool: String,
    pub(crate) count: u32,
}

/// The calls of a turn so far.
#[derive(Clone, Debug)]
pub(crate) struct Repetitions {
    thresholds: Thresholds,
    counts: HashMap<u64, u32>,
    found: Option<Repetition>,
}

impl Repetitions {
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, counts: HashMap::new(), found: None }
    }

    /// Counts a call that has its result. Answers what the model is to be told beside the result.
    pub(crate) fn count(&mut self, tool: &str, arguments: &str, result: &str) -> Option<String> {
        let mut hasher = DefaultHasher::new();
        (tool, arguments, result).hash(&mut hasher);
        let count = self.counts.entry(hasher.finish()).or_default();
        *count += 1;
        let (count, Thresholds { note, ask }) = (*count, self.thresholds);
        if ask > 0 && count >= ask {
            self.found = Some(Repetition { tool: tool.to_owned(), count });
        }
        (note > 0 && count >= note).then(|| {
            format!(
                "\n\n[This is call number {count} of `{tool}` with the same arguments and the same result in this turn. \
                 Do something else, or tell the user what you are missing.]"
            )
        })
    }

    /// The call that was made too often, once.
    pub(crate) fn take(&mut self) -> Option<Repetition> {
        let found = self.found.take();
        if found.is_some() {
            // Whoever goes on wants to see whether the model does something else now.
            self.counts.clear();
        }
        found
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.found = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_calls_are_noted_and_then_found_once() {
        let mut repetitions = Repetitions::new(Thresholds { note: 3, ask: 4 });
        let mut call = |result: &str| {
            let note = repetitions.count("read", "{}", result).is_some();
            (note, repetitions.take().map(|found| found.count))
        };
        let seen = ["a", "b", "a", "b", "a", "c", "a", "a"].map(&mut call);
        let expected = [false, false, false, false, true, false, true, false].map(|note| (note, None));
        let mut expected = expected.to_vec();
        expected[6].1 = Some(4);
        assert_eq!(seen.to_vec(), expected);
    }

    #[test]
    fn a_threshold_of_zero_is_none_and_a_new_beginning_forgets() {
        let mut repetitions = Repetitions::new(Thresholds { note: 0, ask: 0 });
        assert_eq!([1, 2, 3, 4].map(|_| repetitions.count("read", "{}", "a")), [None, None, None, None]);
        assert_eq!(repetitions.take(), None);
        let mut repetitions = Repetitions::new(Thresholds::from(None));
        assert_eq!([1, 2].map(|_| repetitions.count("read", "{}", "a")), [None, None]);
        repetitions.clear();
        assert_eq!(repetitions.count("read", "{}", "a"), None);
    }
}
