//! Waiting for a state, always with a deadline.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long anything may take before a test fails; `KIT_TEST_DEADLINE` gives other seconds.
pub fn deadline() -> Duration {
    let seconds = std::env::var("KIT_TEST_DEADLINE").ok().and_then(|value| value.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// What a look at the state says.
pub(crate) enum Look<T> {
    Found(T),
    NotYet,
    /// It cannot come any more.
    Never,
}

impl<T> From<Option<T>> for Look<T> {
    fn from(found: Option<T>) -> Self {
        found.map_or(Look::NotYet, Look::Found)
    }
}

/// Why nothing was found.
pub(crate) enum Missing {
    Ended,
    Late,
}

/// Looks after every change until something is found.
pub(crate) async fn until<T>(
    changed: &watch::Sender<u64>,
    mut look: impl FnMut() -> Look<T>,
) -> Result<T, Missing> {
    let mut changed = changed.subscribe();
    let watching = async {
        loop {
            changed.mark_unchanged();
            match look() {
                Look::Found(found) => return Ok(found),
                Look::Never => return Err(Missing::Ended),
                Look::NotYet => {}
            }
            if changed.changed().await.is_err() {
                return Err(Missing::Ended);
            }
        }
    };
    timeout(deadline(), watching).await.unwrap_or(Err(Missing::Late))
}

/// Waits for something outside of our own processes, which nobody announces: it is looked at again and again.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let looking = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        while !holds() {
            interval.tick().await;
        }
    };
    assert!(timeout(deadline(), looking).await.is_ok(), "never within {:?}: {what}", deadline());
}
