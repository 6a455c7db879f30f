//! A real inference server: llama.cpp with a random model of half a megabyte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::NamedTempFile;

use crate::tiny_model::{self, Habit};

/// The context of the server in tokens.
pub const LLAMA_CONTEXT: u32 = 4096;

/// A running llama.cpp. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Llama {
    child: Child,
    url: String,
    _model: NamedTempFile,
}

impl Llama {
    /// Starts the program that the installer printed on a free loopback port, and waits until it serves.
    pub fn start(program: &Path, habit: Habit) -> Llama {
        let model = tempfile::Builder::new().suffix(".gguf").tempfile().expect("a temporary file");
        tiny_model::write(model.path(), 7, habit).expect("the model can be written");
        let mut command = Command::new(program);
        command.arg("--model").arg(model.path()).args([
            "--alias",
            "tiny",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
        ]);
        command.args([
            "--ctx-size",
            &LLAMA_CONTEXT.to_string(),
            "--parallel",
            "1",
            "--offline",
            "--no-webui",
        ]);
        command.args(["--seed", "7", "--threads", "1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let said = BufReader::new(child.stderr.take().expect("piped"));
        let mut lines = said.lines().map_while(Result::ok);
        let mut tail = Vec::new();
        let url = lines.find_map(|line| {
            let found = line.split_once("listening on ").map(|(_, url)| url.trim().to_owned());
            tail.push(line);
            found
        });
        let url =
            url.unwrap_or_else(|| panic!("llama.cpp does not say where it listens:\n{}", tail.join("\n")));
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Llama { child, url, _model: model };
        assert!(server.is_ready(), "llama.cpp has no model");
        server
    }

    /// The address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn is_ready(&self) -> bool {
        let address = self.url.trim_start_matches("http://");
        (0..1000).any(|_| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("it listens");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
        })
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
