//! Running a test program, showing what it prints, and counting what it says passed and failed.
//!
//! A runner prints what a failed test printed, and that test may be a program with a closing line of another form. So the
//! caller says whose lines count.

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

/// Who closes with which lines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counts {
    /// `test result: ok. 13 passed; 2 failed; …`, of `cargo test`.
    Harness,
    /// `Summary [0.5s] 15 tests run: 13 passed, 2 failed, …`, of `cargo nextest`.
    Nextest,
    /// `ℹ pass 13` and `ℹ fail 2`, of Node.
    Node,
    /// `13 passed, 2 failed`, of our own programs.
    Plain,
    /// None: it is one check by itself.
    Nothing,
}

/// Runs a program to its end. A program that counts nothing counts as one; one that fails has at least one failure.
pub(crate) fn counted(command: &mut Command, counts: Counts) -> Result<Count> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let stderr = child.stderr.take().context("the error output is piped")?;
    let stdout = child.stdout.take().context("the output is piped")?;
    let errors = thread::spawn(move || tee(stderr, std::io::stderr(), counts));
    let mut count = tee(stdout, std::io::stdout(), counts);
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

fn tee(from: impl Read, mut to: impl Write, counts: Counts) -> Count {
    let mut count = Count::default();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line);
        // A console that is gone is no reason to stop counting.
        let _gone = writeln!(to, "{text}");
        let found = counts.read(&text);
        count.passed += found.passed;
        count.failed += found.failed;
    }
    count
}

impl Counts {
    /// The counts in a closing line; none in any other.
    fn read(self, line: &str) -> Count {
        let line = line.trim();
        let closing = match self {
            Counts::Harness => line.starts_with("test result: "),
            Counts::Nextest => line.starts_with("Summary ["),
            Counts::Node => return node(line),
            Counts::Plain => plain(line),
            Counts::Nothing => false,
        };
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
}

fn node(line: &str) -> Count {
    let after = |word: &str| {
        let rest = line.strip_prefix('#').or_else(|| line.strip_prefix('ℹ'))?;
        rest.trim_start().strip_prefix(word)?.trim().parse().ok()
    };
    Count { passed: after("pass ").unwrap_or(0), failed: after("fail ").unwrap_or(0) }
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
        let harness = "test result: FAILED. 13 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.18s";
        let cases = [
            (Counts::Harness, harness, 13, 2),
            (Counts::Nextest, "     Summary [   0.512s] 15 tests run: 13 passed, 2 failed, 0 skipped", 13, 2),
            (Counts::Nextest, "     Summary [   0.512s] 15 tests run: 15 passed (1 slow), 0 skipped", 15, 0),
            (Counts::Node, "ℹ pass 4", 4, 0),
            (Counts::Node, "# fail 3", 0, 3),
            (Counts::Plain, "7 passed, 1 failed", 7, 1),
            (Counts::Plain, "a sentence about 3 passed exams", 0, 0),
        ];
        for (counts, line, passed, failed) in cases {
            assert_eq!(counts.read(line), Count { passed, failed }, "{line}");
        }
    }

    #[test]
    fn a_closing_line_within_what_a_failed_test_printed_does_not_count() {
        let printed = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 211 filtered out";
        assert_eq!(Counts::Nextest.read(printed), Count::default());
        assert_eq!(Counts::Nothing.read("1 passed, 1 failed"), Count::default());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_fails_without_counting_is_a_failure() {
        assert_eq!(
            counted(Command::new("sh").args(["-c", "exit 3"]), Counts::Nothing).expect("sh runs"),
            Count { passed: 0, failed: 1 }
        );
        assert_eq!(
            counted(Command::new("sh").args(["-c", "exit 0"]), Counts::Nothing).expect("sh runs"),
            Count::one()
        );
    }
}
