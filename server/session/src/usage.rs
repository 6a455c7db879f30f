//! What a session's model calls used: per call, for the last turn and for the session.

use kit_protocol::{Usage, UsageTotals};

/// The usage of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionUsage {
    /// All calls, whatever branch they were made on: they were paid for.
    pub(crate) calls: Vec<Usage>,
    pub(crate) session: UsageTotals,
    /// The running or last turn.
    pub(crate) turn: Option<UsageTotals>,
    /// The last call of the session's own conversation.
    pub(crate) last: Option<Usage>,
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
        self.last = Some(usage.clone());
        self.add_of_subagent(usage);
    }

    /// Adds a call that a subagent made for the running turn.
    pub(crate) fn add_of_subagent(&mut self, usage: Usage) {
        self.turn.get_or_insert_default().add(&usage);
        self.add_aside(usage);
    }

    /// Adds a call beside the conversation: it was paid for, and belongs to no turn.
    pub(crate) fn add_aside(&mut self, usage: Usage) {
        self.session.add(&usage);
        self.calls.push(usage);
    }
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
    fn totals_are_sums_of_the_turn_and_of_the_session() {
        let mut session = SessionUsage::default();
        assert_eq!(session.next_call(), 1);
        session.begin_turn();
        session.add(usage(1));
        session.begin_turn();
        session.add(usage(2));
        session.add_aside(usage(3));
        session.add_of_subagent(usage(4));
        let turn = session.turn.clone().unwrap();
        assert_eq!((turn.output_tokens, session.session.output_tokens, session.next_call()), (2, 4, 5));
        assert_eq!(session.last, Some(usage(2)));
    }
}
