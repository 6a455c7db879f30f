//! npm's `@copilotkit/aimock`, a mock of the OpenAI and Anthropic APIs that others wrote: an independent peer, so that
//! our own model server and our own wires cannot agree on the same mistake.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::NamedTempFile;

/// A running aimock. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Aimock {
    child: Child,
    url: String,
    _fixtures: NamedTempFile,
}

impl Aimock {
    /// Starts the program that the installer printed with these fixtures, on a free loopback port.
    pub fn start(program: &Path, fixtures: &Value) -> Aimock {
        let file = tempfile::Builder::new().suffix(".json").tempfile().expect("a temporary file");
        std::fs::write(file.path(), fixtures.to_string()).expect("the fixtures can be written");
        let mut command = Command::new(program);
        command.args(["--port", "0", "--strict", "--chunk-size", "5", "--fixtures"]).arg(file.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = output.lines().map_while(Result::ok);
        let url =
            lines.find_map(|line| line.split_once("listening on ").map(|(_, url)| url.trim().to_owned()));
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Aimock { child, url: url.expect("aimock says where it listens"), _fixtures: file }
    }

    /// The address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
