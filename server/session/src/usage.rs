//! What a session's model calls used: per call, for the last turn, for the session, and how full the context is.

use kit_protocol::{ContextUsage, Usage, UsageTotals};

/// The usage of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionUsage {
    /// All calls, whatever branch they were made on: they were paid for.
    pub(crate) calls: Vec<Usage>,
    pub(crate) session: UsageTotals,
    /// The running or last turn.
    pub(crate) turn: Option<UsageTotals>,
    /// Tokens in the context after the last call.
    pub(crate) context_used: u64,
}

impl SessionUsage {
    /// The number of the next call.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.iter().map(|usage| usage.call).max().unwrap_or(0) + 1
    }

    /// A turn begins.
    pub(crate) fn begin_turn(&mut self) {
        self.turn = Some(UsageTotals::default());
    }

    /// Adds a call.
    pub(crate) fn add(&mut self, usage: Usage) {
        self.session.add(&usage);
        self.turn.get_or_insert_default().add(&usage);
        self.context_used = context_of(&usage);
        self.calls.push(usage);
    }

    /// Adds a call beside the conversation: it was paid for, and belongs to no turn.
    pub(crate) fn add_aside(&mut self, usage: Usage) {
        self.session.add(&usage);
        self.calls.push(usage);
    }

    /// How full the context is, once a call was made.
    pub(crate) fn context(&self, window: u64) -> Option<ContextUsage> {
        (self.context_used > 0).then_some(ContextUsage { used: self.context_used, window })
    }
}

/// What the next request will hold at least: all that the call read, and its answer.
fn context_of(usage: &Usage) -> u64 {
    [usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.output_tokens]
        .into_iter()
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use kit_protocol::CostKind;

    /// A call of one output token that cost one micro-USD.
    pub(crate) fn usage(call: u64) -> Usage {
        Usage {
            call,
            step: 0,
            provider: "p".into(),
            model: "m".into(),
            input_tokens: 10,
            output_tokens: 1,
            cache_read_tokens: 100,
            cache_write_tokens: 1000,
            reasoning_tokens: None,
            cost_micros: Some(1),
            cost_kind: CostKind::Priced,
            finish_reason: None,
            request_id: None,
        }
    }

    #[test]
    fn totals_are_sums_and_the_context_is_that_of_the_last_call() {
        let mut session = SessionUsage::default();
        assert_eq!((session.next_call(), session.context(5000)), (1, None));
        session.begin_turn();
        session.add(usage(1));
        session.begin_turn();
        session.add(usage(2));
        let turn = session.turn.clone().unwrap();
        assert_eq!((turn.output_tokens, session.session.output_tokens, session.next_call()), (1, 2, 3));
        assert_eq!(session.context(5000), Some(ContextUsage { used: 1111, window: 5000 }));
    }
}
