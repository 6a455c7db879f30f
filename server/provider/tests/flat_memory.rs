//! An answer of a hundred megabytes takes no more memory than a short one. Alone in its process, because the whole
//! process is measured.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use futures::StreamExt as _;
use kit_protocol::{Message, Role};
use kit_provider::{Environment, ModelEvent, Models, Parameters, ProviderSettings, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Bytes of padding in an event, as providers send it to hide the length of words.
const PADDING: usize = 64 * 1024;
const EVENTS: usize = 100_000_000 / PADDING;
/// The growth that buffers and the runtime may have.
const ALLOWED_KIB: u64 = 16 * 1024;

/// The largest memory of this process so far, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Answers each request with that many events.
async fn serve(counts: [usize; 2]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let padding = "x".repeat(PADDING);
        let event = format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}],\"obfuscation\":\"{padding}\"}}\n\n"
        );
        for count in counts {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _request = stream.read(&mut [0; 4096]).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..count {
                stream.write_all(event.as_bytes()).await.unwrap();
            }
            let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
            stream.write_all(end.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    format!("http://{address}/v1")
}

#[tokio::test]
async fn a_long_answer_takes_no_more_memory_than_a_short_one() {
    let address = serve([10, EVENTS]).await;
    let environment =
        Environment::from_iter([("OPENAI_BASE_URL", address.as_str()), ("OPENAI_API_KEY", "k")]);
    let models = Models::new(&ProviderSettings::default(), environment);
    let model = models.resolve(&"openai/gpt-4o".parse().unwrap()).unwrap();
    let mut peaks = Vec::new();
    for expected in [10, EVENTS] {
        let request = Request {
            system: "".into(),
            messages: [Message::text(Role::User, "go")].into(),
            tools: [].into(),
            parameters: Parameters::default(),
            cache_key: None,
        };
        let mut events = model.stream(request, CancellationToken::new());
        let mut count = 0;
        while let Some(event) = events.next().await {
            count += usize::from(matches!(event.unwrap(), ModelEvent::TextDelta(_)));
        }
        assert_eq!(count, expected);
        peaks.push(peak());
    }
    let grown = peaks[1] - peaks[0];
    assert!(grown < ALLOWED_KIB, "{grown} KiB more for a hundred megabytes: {peaks:?}");
}
