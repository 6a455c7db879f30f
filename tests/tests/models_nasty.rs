//! Servers that answer with anything but a model's answer: one sentence with the mend, in bounded time and memory.

use kit_testkit::{Launch, Project, Wire};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How much more memory than at its start the program may have needed, in KiB: a few times the largest event.
const ALLOWED_KIB: u64 = 256 * 1024;

/// What every request is answered with: once, and then the same piece again and again.
struct Answer {
    begin: String,
    piece: String,
    count: usize,
}

impl Answer {
    fn whole(status: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let begin = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        Answer { begin, piece: String::new(), count: 0 }
    }

    fn refusal(status: &str, error: &str) -> Answer {
        Answer::whole(status, "content-type: application/json\r\n", &format!("{{\"error\": {error}}}"))
    }

    /// An event stream that begins like this and goes on with that many pieces.
    fn stream(begin: &str, piece: String, count: usize) -> Answer {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        Answer { begin: format!("{head}{begin}"), piece, count }
    }

    /// A line of a hundred megabytes.
    fn endless_line() -> Answer {
        Answer::stream("data: ", "x".repeat(1_000_000), 100)
    }

    /// Words without end.
    fn endless_words() -> Answer {
        let word =
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "word ".repeat(400));
        Answer::stream("", word, usize::MAX)
    }
}

/// Serves the answer and gives the address.
async fn serve(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            let mut sent = stream.write_all(answer.begin.as_bytes()).await;
            for _ in 0..answer.count {
                if sent.is_err() {
                    break;
                }
                sent = stream.write_all(answer.piece.as_bytes()).await;
            }
        }
    });
    address
}

/// Reads a request, so that its end is no reset of the connection.
async fn read_request(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let head = text.find("\r\n\r\n").map(|at| at + 4);
        let length = text
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split('\r').next()?.parse::<usize>().ok());
        if head.zip(length).is_some_and(|(head, length)| bytes.len() >= head + length) {
            return;
        }
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => return,
        }
    }
}

/// Statement 10.
#[tokio::test]
async fn an_answer_that_is_none_is_one_sentence_that_names_the_mend() {
    let page = "<html>Please sign in to the network</html>";
    let html = "content-type: text/html\r\n";
    let cases = [
        (
            Answer::whole("200 OK", html, page),
            "ADDRESS answered with a web page and not with a model's answer; check the base URL",
        ),
        (
            Answer::whole("407 Proxy Authentication Required", html, page),
            "the proxy on the way to OpenAI wants a login; put user and password into the setting `proxy`",
        ),
        (
            Answer::whole("302 Found", "location: https://login.example.com/sso?x=1\r\n", ""),
            "OpenAI at ADDRESS answered with a redirect to https://login.example.com; set the base URL to where it leads",
        ),
        (
            Answer::refusal("401 Unauthorized", r#"{"message": "Incorrect API key provided: sk-planted."}"#),
            "OpenAI refused the key from OPENAI_API_KEY: Incorrect API key provided: [key]; set OPENAI_API_KEY to a valid key",
        ),
        (
            Answer::refusal("403 Forbidden", r#"{"message": "Country not supported"}"#),
            "the key from OPENAI_API_KEY has no right to use gpt-4o at OpenAI: Country not supported; use another key, or choose another model",
        ),
        (
            Answer::refusal("404 Not Found", r#"{"message": "no such model", "code": "model_not_found"}"#),
            "OpenAI does not know gpt-4o: no such model; choose another model (similar: ",
        ),
        (
            Answer::refusal("400 Bad Request", r#"{"message": "tiny does not support tools"}"#),
            "OpenAI refused the request with status 400: tiny does not support tools; choose a model that calls tools",
        ),
        (
            Answer::refusal(
                "400 Bad Request",
                r#"{"message": "Invalid schema for function 'read'", "code": "invalid_function_parameters"}"#,
            ),
            "OpenAI refused the request with status 400: Invalid schema for function 'read'; leave that tool out with exclude-core-tools or by turning its server or extension off, or choose another model",
        ),
        (
            Answer::refusal(
                "400 Bad Request",
                r#"{"message": "context of 8192 tokens", "code": "context_length_exceeded"}"#,
            ),
            "the conversation does not fit into the context window of gpt-4o: context of 8192 tokens, and there is nothing to compact; start a new session, go on from an earlier entry, or choose a model with a larger window",
        ),
        (
            Answer::refusal(
                "429 Too Many Requests",
                r#"{"message": "no credit", "code": "insufficient_quota"}"#,
            ),
            "the quota or credit at OpenAI is used up: no credit; check plan and billing there, or choose another model",
        ),
        (
            Answer::endless_line(),
            "the answer of OpenAI cannot be read: the server sent an event of more than 16 MiB; check the base URL, or choose another model",
        ),
        (
            Answer::endless_words(),
            "OpenAI sent more than 16 MiB in one answer; set max-tokens, or choose another model",
        ),
    ];
    for (answer, expected) in cases {
        let project = Project::new();
        let address = serve(answer).await;
        let launch = Launch::new(&project).model_at(&address, Wire::ChatCompletions);
        let finished = launch.run(&["run", "go", "--no-session", "--json"]).await;
        assert_eq!(finished.code, Some(1), "{expected}: {finished:?}");
        let told: Value = serde_json::from_str(&finished.stdout).expect("an object");
        let told = told["error"].as_str().unwrap_or_else(|| panic!("a sentence in {told}")).to_owned();
        let expected = expected.replace("ADDRESS", &address);
        assert!(
            told == expected || expected.ends_with(": ") && told.starts_with(&expected),
            "{told}\n{expected}"
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_flood_takes_a_bounded_amount_of_memory() {
    let padded = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}],\"obfuscation\":\"{}\"}}\n\n",
        "x".repeat(64 * 1024)
    );
    for answer in [Answer::endless_line(), Answer::endless_words(), Answer::stream("", padded, 1600)] {
        let project = Project::new();
        let address = serve(answer).await;
        let client = Launch::new(&project).model_at(&address, Wire::ChatCompletions).start().await;
        let before = peak(client.process_id());
        let turn = client.prompt("go").await;
        // A cut answer is tried again, which is announced; one that can have no other end is an error at once.
        let event = client
            .event(|event| turn.owns(event) && (event["type"] == "retry" || event["type"] == "error"))
            .await;
        let grown = peak(client.process_id()) - before;
        assert!(grown < ALLOWED_KIB, "{grown} KiB more for {event}");
        if event["type"] == "retry" {
            client
                .command("kit.session.cancel", serde_json::json!({}))
                .await
                .expect("a wait can be cancelled");
        }
        client.finish(&turn).await;
        client.close().await;
    }
}

/// The most memory that a process has had so far, in KiB.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}
