//! What a program complains: into the log with a cap, and its end kept, because that usually says why it ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

use crate::caps;

/// Bytes of one program that go into the log.
const MOST_LOGGED: usize = 256 * 1024;
/// Bytes of one line.
const LONGEST_LINE: usize = 2000;
/// Bytes of the last line that errors repeat.
const LONGEST_QUOTE: usize = 300;
/// What stands in place of a secret.
const HIDDEN: &str = "[secret]";
/// Values that are shorter stand in any text by chance.
const SHORTEST_SECRET: usize = 6;

/// How long the last words of a program that ended are waited for.
const LISTENING: Duration = Duration::from_millis(300);

/// The last line that a program complained.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    line: Mutex<Option<String>>,
    /// Cancelled when nothing more comes.
    heard: CancellationToken,
}

impl LastWords {
    /// Those of somebody who has no voice.
    pub(super) fn none() -> Arc<Self> {
        let words = Self::default();
        words.heard.cancel();
        Arc::new(words)
    }

    /// The last words of a program that has ended.
    pub(super) async fn get(&self) -> Option<String> {
        // A child of the program may keep the pipe open.
        drop(tokio::time::timeout(LISTENING, self.heard.cancelled()).await);
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads until the program closes the pipe.
pub(super) async fn listen(
    pipe: impl AsyncRead + Unpin,
    server: String,
    secrets: Vec<String>,
    last: Arc<LastWords>,
) {
    let _heard = last.heard.clone().drop_guard();
    let mut reader = BufReader::new(pipe);
    let mut logged = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        match next_line(&mut reader, &mut line).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        }
        let text = String::from_utf8_lossy(&line);
        let text = without(text.trim_end(), &secrets);
        if text.trim().is_empty() {
            continue;
        }
        let quote = caps::line(text.trim(), LONGEST_QUOTE).into_owned();
        *last.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(quote);
        if logged < MOST_LOGGED {
            logged += text.len();
            tracing::info!(server, "{text}");
            if logged >= MOST_LOGGED {
                tracing::info!(server, "what else it complains is not logged");
            }
        }
    }
}

/// Reads a line, of which only the beginning is kept; false at the end.
async fn next_line(reader: &mut (impl AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        let kept = taken.min(LONGEST_LINE.saturating_sub(line.len()));
        line.extend_from_slice(available.get(..kept).unwrap_or_default());
        reader.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// The text without the secrets.
pub(super) fn without(text: &str, secrets: &[String]) -> String {
    let hide = |text: String, secret: &String| {
        if secret.len() < SHORTEST_SECRET { text } else { text.replace(secret.as_str(), HIDDEN) }
    };
    secrets.iter().fold(text.to_owned(), hide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_words_are_kept_without_secrets_and_with_a_cap() {
        let last = Arc::new(LastWords::default());
        let said = format!("first\n{}\nno token planted-secret here\n\n", "x".repeat(100_000));
        listen(said.as_bytes(), "s".into(), vec!["planted-secret".into()], Arc::clone(&last)).await;
        assert_eq!(last.get().await.as_deref(), Some("no token [secret] here"));
        listen("y".repeat(5000).as_bytes(), "s".into(), Vec::new(), Arc::clone(&last)).await;
        assert!(last.get().await.unwrap().len() < 400);
    }
}
