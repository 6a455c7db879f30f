//! Running a test program, showing what it prints, and counting what it says passed and failed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    /// One check that passed.
    pub(crate) fn one() -> Count {
        Count { passed: 1, failed: 0 }
    }
}

/// Runs a program to its end. A program that counts nothing counts as one; one that fails has at least one failure.
pub(crate) fn counted(command: &mut Command) -> Result<Count> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let stderr = child.stderr.take().context("the error output is piped")?;
    let stdout = child.stdout.take().context("the output is piped")?;
    let errors = thread::spawn(move || tee(stderr, std::io::stderr()));
    let mut count = tee(stdout, std::io::stdout());
    if let Ok(more) = errors.join() {
        count.passed += more.passed;
        count.failed += more.failed;
    }
    let status = child.wait()?;
    if !status.success() {
        count.failed = count.failed.max(1);
    } else if count == Count::default() {
        count = Count::one();
    }
    Ok(count)
}

fn tee(from: impl Read, mut to: impl Write) -> Count {
    let mut count = Count::default();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line);
        // A console that is gone is no reason to stop counting.
        let _gone = writeln!(to, "{text}");
        let found = read(&text);
        count.passed += found.passed;
        count.failed += found.failed;
    }
    count
}

/// The counts in a closing line of cargo's test harness, nextest, Node's test runner, or our own plain form.
fn read(line: &str) -> Count {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("# pass ").or_else(|| line.strip_prefix("ℹ pass ")) {
        return Count { passed: rest.parse().unwrap_or(0), failed: 0 };
    }
    if let Some(rest) = line.strip_prefix("# fail ").or_else(|| line.strip_prefix("ℹ fail ")) {
        return Count { passed: 0, failed: rest.parse().unwrap_or(0) };
    }
    let closing = line.starts_with("test result: ") || line.starts_with("Summary [") || plain(line);
    if !closing {
        return Count::default();
    }
    let before = |word: &str| {
        let words: Vec<&str> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        let at = words.iter().position(|found| *found == word)?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    };
    Count { passed: before("passed").unwrap_or(0), failed: before("failed").unwrap_or(0) }
}

fn plain(line: &str) -> bool {
    let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    matches!(words[..], [passed, "passed", failed, "failed", ..]
        if passed.parse::<u64>().is_ok() && failed.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_every_runner_are_read() {
        let cases = [
            (
                "test result: FAILED. 13 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.18s",
                13,
                2,
            ),
            ("     Summary [   0.512s] 15 tests run: 13 passed, 2 failed, 0 skipped", 13, 2),
            ("     Summary [   0.512s] 15 tests run: 15 passed (1 slow), 0 skipped", 15, 0),
            ("ℹ pass 4", 4, 0),
            ("# fail 3", 0, 3),
            ("7 passed, 1 failed", 7, 1),
            ("a sentence about 3 passed exams", 0, 0),
        ];
        for (line, passed, failed) in cases {
            assert_eq!(read(line), Count { passed, failed }, "{line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_fails_without_counting_is_a_failure() {
        assert_eq!(
            counted(Command::new("sh").args(["-c", "exit 3"])).expect("sh runs"),
            Count { passed: 0, failed: 1 }
        );
        assert_eq!(counted(Command::new("sh").args(["-c", "exit 0"])).expect("sh runs"), Count::one());
    }
}
