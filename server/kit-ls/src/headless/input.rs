//! What a run is asked: the words of the command line, the files among them, and what is piped into it.
//!
//! `-` takes the prompt from stdin and waits for all of it. Without it, what a pipe or a file brings on stdin goes with the
//! prompt as a document of its own, or is the prompt where there are no words. A pipe that stays silent for a moment has
//! nothing to bring: programs often hand one down that nobody writes to.

#[cfg(not(unix))]
use std::io::IsTerminal as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// How long a pipe may stay silent.
const SILENCE: Duration = Duration::from_secs(3);
/// The most that is read of stdin.
const LARGEST: usize = 16 * 1024 * 1024;
/// Chunks of stdin that wait to be taken.
const CHUNKS: usize = 16;
const CHUNK: usize = 64 * 1024;

/// A prompt with what goes with it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Input {
    pub(super) text: String,
    pub(super) attachments: Vec<PathBuf>,
    /// What was piped in beside the prompt.
    pub(super) piped: Option<String>,
    /// What the user should know about it.
    pub(super) note: Option<String>,
}

impl Input {
    pub(super) fn read(words: &[String]) -> anyhow::Result<Self> {
        let mut text = Vec::new();
        let mut input = Self::default();
        for word in words {
            match word.strip_prefix('@') {
                Some(path) if !path.is_empty() && !path.contains(char::is_whitespace) => {
                    let path = std::path::absolute(path).context("the current folder is gone")?;
                    if !path.exists() {
                        bail!(
                            "there is no file {}; without `@` the word is part of the prompt",
                            path.display()
                        );
                    }
                    input.attachments.push(path);
                }
                _ if word == "-" => text.push(whole()?),
                Some(_) | None => text.push(word.clone()),
            }
        }
        input.text = text.join(" ");
        if !words.iter().any(|word| word == "-") && brings_something() {
            match piped()? {
                Piped::Text(text) if words.is_empty() => input.text = text,
                Piped::Text(text) => input.piped = Some(text).filter(|text| !text.trim().is_empty()),
                Piped::Silent => {
                    let seconds = SILENCE.as_secs();
                    input.note = Some(format!(
                        "nothing came on stdin for {seconds} s, so the run goes on without it; `-` waits for it"
                    ));
                }
            }
        }
        if input.text.trim().is_empty() && input.attachments.is_empty() {
            bail!("the prompt is empty: say what to do, for example kit-ls run \"explain this project\"");
        }
        Ok(input)
    }
}

enum Piped {
    Text(String),
    Silent,
}

/// Whether stdin is a pipe or a file, and no terminal and nothing at all.
#[cfg(unix)]
fn brings_something() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileTypeExt as _;
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let kind = stdin.and_then(|stdin| stdin.metadata()).map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket() || kind.is_file())
}

#[cfg(not(unix))]
fn brings_something() -> bool {
    !std::io::stdin().is_terminal()
}

/// All of stdin.
fn whole() -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().take(LARGEST as u64 + 1).read_to_end(&mut bytes).context("stdin cannot be read")?;
    as_text(bytes)
}

/// What is piped in, unless nothing comes for too long.
fn piped() -> anyhow::Result<Piped> {
    let (sender, chunks) = sync_channel(CHUNKS);
    // It ends with stdin, or with the process.
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = stdin.read(&mut chunk);
            let is_end = !matches!(read, Ok(length) if length > 0);
            chunk.truncate(read.as_ref().copied().unwrap_or(0));
            if sender.send(read.map(|_| chunk)).is_err() || is_end {
                return;
            }
        }
    });
    let mut bytes = match chunks.recv_timeout(SILENCE) {
        Ok(first) => first.context("stdin cannot be read")?,
        Err(RecvTimeoutError::Timeout) => return Ok(Piped::Silent),
        Err(RecvTimeoutError::Disconnected) => Vec::new(),
    };
    while bytes.len() <= LARGEST
        && let Ok(chunk) = chunks.recv()
    {
        bytes.extend(chunk.context("stdin cannot be read")?);
    }
    Ok(Piped::Text(as_text(bytes)?))
}

fn as_text(bytes: Vec<u8>) -> anyhow::Result<String> {
    if bytes.len() > LARGEST {
        bail!("stdin brings more than {} MiB; write it into a file and name that", LARGEST / (1024 * 1024));
    }
    String::from_utf8(bytes).context("stdin is not text; attach a file by @FILE")
}
