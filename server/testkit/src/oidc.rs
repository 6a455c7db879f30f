//! npm's `oidc-provider`, a certified OAuth server that others wrote, with a browser whose user agrees to everything: an
//! independent peer for logins. `tests/scripts/oidc.mjs` is the program.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wait::deadline;

/// A running OAuth server. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Oidc {
    child: Child,
    url: String,
}

impl Oidc {
    /// Starts the program that the installer printed, on a free loopback port.
    pub fn start(program: &Path) -> Oidc {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = output.lines().map_while(Result::ok);
        let url =
            lines.find_map(|line| line.split_once("listening on ").map(|(_, url)| url.trim().to_owned()));
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Oidc { child, url: url.expect("the server says where it listens") }
    }

    /// The address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The user opens a page, logs in and agrees; answers where the browser ended.
    pub async fn browse(&self, page: &str) -> Value {
        self.get(&format!("/browse?url={}", encoded(page))).await
    }

    /// The user types the code of a device login, logs in and agrees.
    pub async fn enter(&self, code: &str) -> Value {
        self.get(&format!("/enter?code={}", encoded(code))).await
    }

    /// The MCP server of this program, which wants one of its tokens.
    pub fn mcp_url(&self) -> String {
        format!("{}/mcp", self.url)
    }

    /// Lets the MCP server refuse every token that it has seen; answers how many these are.
    pub async fn forget(&self) -> u64 {
        self.get("/forget").await["refused"].as_u64().unwrap_or_default()
    }

    /// How often a kind of grant was given or, with its error, refused.
    pub async fn count(&self, grant: &str) -> u64 {
        self.get("/counts").await[grant].as_u64().unwrap_or_default()
    }

    async fn get(&self, target: &str) -> Value {
        let answer = timeout(deadline(), get(&self.url, target)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{target} is not answered"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{target}: {error}: {answer}"))
    }
}

impl Drop for Oidc {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}

/// The body of a response that ends with its connection.
async fn get(address: &str, target: &str) -> String {
    let host = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.expect("the server accepts");
    let request = format!("GET {target} HTTP/1.0\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the server answers with text");
    answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}")).1.to_owned()
}

fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
