//! How often something may be done.

use std::time::Instant;

/// Whether something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// It may.
    Granted,
    /// It may not, for the first time in a row.
    FirstRefused,
    /// It may not.
    Refused,
}

/// So many tokens a second, and at most those of one second at once.
pub(crate) struct Bucket {
    rate: u32,
    left: f64,
    filled: Instant,
    refuses: bool,
}

impl Bucket {
    pub(crate) fn new(rate: u32) -> Self {
        Self { rate, left: f64::from(rate), filled: Instant::now(), refuses: false }
    }

    /// The clock is read only when the tokens are used up, so that a call costs nothing while there are some.
    pub(crate) fn take(&mut self, tokens: u32) -> Token {
        let tokens = f64::from(tokens);
        if self.left < tokens {
            let now = Instant::now();
            // Nobody looked at the clock while there were tokens, so those of the time since then come now.
            let since = now - std::mem::replace(&mut self.filled, now);
            self.left = (self.left + since.as_secs_f64() * f64::from(self.rate)).min(f64::from(self.rate));
        }
        if self.left < tokens {
            let first = !std::mem::replace(&mut self.refuses, true);
            return if first { Token::FirstRefused } else { Token::Refused };
        }
        self.left -= tokens;
        self.refuses = false;
        Token::Granted
    }
}
