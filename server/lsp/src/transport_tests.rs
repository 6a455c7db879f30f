//! tower-lsp 0.20's measured defects as regression tests of frames, guard and service together.
//!
//! The probes keep their numbers from the study of the library (T2–T19), so that a swap of the library meets the same
//! list. Every wait has a deadline; none of the assertions depends on how fast something is.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tower_lsp::jsonrpc::Result as RpcResult;
use tower_lsp::lsp_types as lsp;
use tower_lsp::{Client, LanguageServer, LspService};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

type Versions = Arc<Mutex<Vec<i64>>>;

struct Probe {
    client: Client,
    versions: Versions,
    release: Arc<Notify>,
}

#[tower_lsp::async_trait]
impl LanguageServer for Probe {
    async fn initialize(&self, _: lsp::InitializeParams) -> RpcResult<lsp::InitializeResult> {
        Ok(lsp::InitializeResult::default())
    }

    async fn shutdown(&self) -> RpcResult<()> {
        Ok(())
    }

    async fn hover(&self, _: lsp::HoverParams) -> RpcResult<Option<lsp::Hover>> {
        Ok(None)
    }
}

impl Probe {
    async fn forever(&self) -> RpcResult<Value> {
        std::future::pending().await
    }

    async fn wait(&self) -> RpcResult<Value> {
        self.release.notified().await;
        Ok(json!("released"))
    }

    async fn panicking(&self) -> RpcResult<Value> {
        panic!("a handler's panic")
    }

    /// Blocks its thread until another request opens the gate: needs that requests do not share one task.
    async fn block(&self) -> RpcResult<Value> {
        let versions = Arc::clone(&self.versions);
        tokio::task::block_in_place(move || {
            while !versions.lock().unwrap().contains(&-1) {
                std::thread::yield_now();
            }
        });
        Ok(Value::Null)
    }

    async fn open_gate(&self) -> RpcResult<Value> {
        self.versions.lock().unwrap().push(-1);
        Ok(Value::Null)
    }

    /// Asks the editor from its own task, as the editor port does, and gives up on request.
    async fn apply(&self, arguments: Value) -> RpcResult<Value> {
        let client = self.client.clone();
        let waiter = tokio::spawn(async move { client.apply_edit(lsp::WorkspaceEdit::default()).await });
        if arguments["giveUp"] == true {
            tokio::select! {
                _ = waiter => Ok(json!("answered")),
                () = self.release.notified() => Ok(json!("gave up")),
            }
        } else {
            let answer = waiter.await.unwrap()?;
            let newest = self.versions.lock().unwrap().last().copied();
            Ok(json!({ "applied": answer.applied, "newest": newest }))
        }
    }

    async fn let_go(&self) -> RpcResult<Value> {
        self.release.notify_one();
        Ok(Value::Null)
    }
}

struct Peer {
    input: Option<DuplexStream>,
    output: Option<DuplexStream>,
    ended: JoinHandle<Ended>,
    raw: Vec<u8>,
    waiting: VecDeque<Value>,
    versions: Versions,
}

fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn request(id: i64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method})
}

fn changed(version: i64) -> Value {
    json!({"jsonrpc": "2.0", "method": "textDocument/didChange",
        "params": {"textDocument": {"uri": "file:///a", "version": version}, "contentChanges": []}})
}

impl Peer {
    async fn start() -> Self {
        Self::with_pipe(1 << 24).await
    }

    async fn with_pipe(size: usize) -> Self {
        let (near_input, far_input) = tokio::io::duplex(1 << 24);
        let (far_output, near_output) = tokio::io::duplex(size);
        let versions = Versions::default();
        let release = Arc::new(Notify::new());
        let (service, socket) = {
            let versions = Arc::clone(&versions);
            LspService::build(move |client| Probe { client, versions, release })
                .custom_method("probe/forever", Probe::forever)
                .custom_method("probe/wait", Probe::wait)
                .custom_method("probe/panic", Probe::panicking)
                .custom_method("probe/block", Probe::block)
                .custom_method("probe/openGate", Probe::open_gate)
                .custom_method("probe/apply", Probe::apply)
                .custom_method("probe/letGo", Probe::let_go)
                .finish()
        };
        let wire_order: WireOrder = {
            let versions = Arc::clone(&versions);
            Arc::new(move |method, params| {
                let version = params.and_then(|params| params["textDocument"]["version"].as_i64());
                if method == "textDocument/didChange"
                    && let Some(version) = version
                {
                    versions.lock().unwrap().push(version);
                    return true;
                }
                false
            })
        };
        let wire = Wire { input: far_input, output: far_output, recorder: None };
        let ended = tokio::spawn(transport(wire, service, socket, wire_order, std::future::pending()));
        let mut peer = Self {
            input: Some(near_input),
            output: Some(near_output),
            ended,
            raw: Vec::new(),
            waiting: VecDeque::new(),
            versions,
        };
        let mut hello = request(0, "initialize");
        hello["params"] = json!({"capabilities": {}});
        peer.send(&hello).await;
        peer.response(0).await;
        peer.send(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}})).await;
        peer
    }

    async fn send(&mut self, message: &Value) {
        self.send_bytes(&frame(message)).await;
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    async fn ask(&mut self, id: i64, method: &str) {
        self.send(&request(id, method)).await;
    }

    async fn ask_apply(&mut self, id: i64, give_up: bool) {
        let mut message = request(id, "probe/apply");
        message["params"] = json!({ "giveUp": give_up });
        self.send(&message).await;
    }

    async fn hover(&mut self, id: i64) -> Value {
        let mut message = request(id, "textDocument/hover");
        message["params"] =
            json!({"textDocument": {"uri": "file:///a"}, "position": {"line": 0, "character": 0}});
        self.send(&message).await;
        self.response(id).await
    }

    async fn receive(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(position) = self.waiting.iter().position(&wanted) {
                return self.waiting.remove(position).unwrap();
            }
            let mut chunk = [0_u8; 8192];
            let output = self.output.as_mut().unwrap();
            let count =
                tokio::time::timeout_at(deadline, output.read(&mut chunk)).await.expect("in time").unwrap();
            assert!(count > 0, "the server closed its output");
            self.raw.extend_from_slice(&chunk[..count]);
            while let Some((body, rest)) = crate::record::first_body(&self.raw) {
                self.waiting.push_back(serde_json::from_slice(body).unwrap());
                let consumed = self.raw.len() - rest.len();
                self.raw.drain(..consumed);
            }
        }
    }

    async fn response(&mut self, id: i64) -> Value {
        self.receive(|message| message["id"] == id && message.get("method").is_none()).await
    }

    async fn edit_request(&mut self) -> Value {
        self.receive(|message| message["method"] == "workspace/applyEdit").await["id"].clone()
    }

    async fn answer(&mut self, id: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "result": {"applied": true}})).await;
    }

    async fn end(self) -> Ended {
        tokio::time::timeout(DEADLINE, self.ended).await.expect("the server ends").unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t1_document_changes_keep_wire_order_against_each_other_and_against_requests() {
    let mut peer = Peer::start().await;
    for version in 1..=5000 {
        peer.send(&changed(version)).await;
    }
    assert!(peer.hover(1).await.get("error").is_none());
    assert_eq!(*peer.versions.lock().unwrap(), (1..=5000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_two_hundred_waiting_requests_hold_up_neither_requests_nor_cancellation() {
    let mut peer = Peer::start().await;
    for id in 1..=200 {
        peer.ask(id, "probe/forever").await;
    }
    assert!(peer.hover(500).await.get("error").is_none());
    peer.send(&json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}})).await;
    assert_eq!(peer.response(1).await["error"]["code"], -32800);
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_a_burst_before_the_editors_answers_does_not_deadlock() {
    let mut peer = Peer::start().await;
    for id in 1..=4 {
        peer.ask_apply(id, false).await;
    }
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.push(peer.edit_request().await);
    }
    for version in 1..=20_000 {
        peer.send(&changed(version)).await;
    }
    for id in &asked {
        peer.answer(id).await;
    }
    for id in 1..=4 {
        assert_eq!(peer.response(id).await["result"]["applied"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t4_an_answer_after_the_caller_gave_up_does_no_harm() {
    let mut peer = Peer::start().await;
    peer.ask_apply(1, true).await;
    let asked = peer.edit_request().await;
    peer.ask(2, "probe/letGo").await;
    assert_eq!(peer.response(1).await["result"], "gave up");
    peer.answer(&asked).await;
    assert!(peer.hover(9).await.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn t4b_an_answer_after_the_request_was_cancelled_does_no_harm() {
    let mut peer = Peer::start().await;
    peer.ask_apply(1, false).await;
    let asked = peer.edit_request().await;
    peer.send(&json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}})).await;
    assert_eq!(peer.response(1).await["error"]["code"], -32800);
    peer.answer(&asked).await;
    assert!(peer.hover(9).await.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_exit_ends_the_server_while_stdin_stays_open() {
    let mut peer = Peer::start().await;
    peer.ask(1, "shutdown").await;
    assert!(peer.response(1).await.get("error").is_none());
    peer.send(&json!({"jsonrpc": "2.0", "method": "exit"})).await;
    assert_eq!(peer.end().await, Ended::Orderly);
}

#[tokio::test(flavor = "multi_thread")]
async fn t5b_a_request_that_ends_within_the_grace_is_answered_after_the_input_ended() {
    let mut peer = Peer::start().await;
    let mut both = frame(&request(1, "probe/wait"));
    both.extend(frame(&request(2, "probe/letGo")));
    peer.send_bytes(&both).await;
    peer.input = None;
    assert_eq!(peer.response(1).await["result"], "released");
    assert_eq!(peer.end().await, Ended::Abrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn t5c_the_end_of_the_input_ends_the_server_although_a_handler_never_ends() {
    let mut peer = Peer::start().await;
    peer.ask(1, "probe/forever").await;
    assert!(peer.hover(2).await.get("error").is_none());
    peer.input = None;
    assert_eq!(peer.end().await, Ended::Abrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn t5d_exit_without_shutdown_is_abrupt() {
    let mut peer = Peer::start().await;
    peer.send(&json!({"jsonrpc": "2.0", "method": "exit"})).await;
    assert_eq!(peer.end().await, Ended::Abrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn t6_malformed_bodies_and_batches_are_answered_and_the_session_goes_on() {
    let mut peer = Peer::start().await;
    for (body, code) in [("{oops", -32700), ("[]", -32700), (r#"{"jsonrpc":"2.0"}"#, -32600)] {
        peer.send_bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
        let answer = peer.receive(|message| message.get("error").is_some()).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(code)), "{body}");
        assert_eq!(answer["error"]["data"]["kind"], "invalid_request");
    }
    assert!(peer.hover(9).await.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn t7_a_panicking_handler_is_an_error_and_others_live() {
    let mut peer = Peer::start().await;
    peer.ask(1, "probe/panic").await;
    assert_eq!(peer.response(1).await["error"]["code"], -32603);
    assert!(peer.hover(9).await.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn t9_a_client_that_does_not_read_does_not_stop_the_input() {
    let mut peer = Peer::with_pipe(4096).await;
    for id in 1..=300 {
        peer.ask(id, "probe/letGo").await;
    }
    for version in 1..=1000 {
        peer.send(&changed(version)).await;
    }
    let versions = Arc::clone(&peer.versions);
    tokio::time::timeout(DEADLINE, async {
        while versions.lock().unwrap().len() < 1000 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the changes are applied although nothing is read");
    for id in 1..=300 {
        assert!(peer.response(id).await.get("error").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_a_client_that_closes_its_reading_side_ends_the_server() {
    let mut peer = Peer::start().await;
    for id in 1..=3 {
        peer.ask(id, "probe/forever").await;
    }
    assert!(peer.hover(9).await.get("error").is_none());
    peer.output = None;
    peer.ask(10, "probe/letGo").await;
    peer.input = None;
    assert_eq!(peer.end().await, Ended::Abrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_null_params_are_no_params() {
    let mut peer = Peer::start().await;
    let mut message = request(1, "shutdown");
    message["params"] = Value::Null;
    peer.send(&message).await;
    assert!(peer.response(1).await.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t12_blocking_handlers_do_not_hold_up_others() {
    let mut peer = Peer::start().await;
    for id in 1..=3 {
        peer.ask(id, "probe/block").await;
    }
    // The gate can open only if this request is served while the three block.
    peer.ask(9, "probe/openGate").await;
    for id in [9, 1, 2, 3] {
        assert!(peer.response(id).await.get("error").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_a_request_method_without_an_id_is_ignored() {
    let mut peer = Peer::start().await;
    peer.send(&json!({"jsonrpc": "2.0", "method": "probe/letGo"})).await;
    assert!(peer.hover(9).await.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_methods_are_errors_and_the_session_goes_on() {
    let mut peer = Peer::start().await;
    peer.ask(1, "probe/unheardOf").await;
    assert_eq!(peer.response(1).await["error"]["code"], -32601);
    assert!(peer.hover(9).await.get("error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn t19_the_store_is_current_when_an_applied_edit_is_answered() {
    let mut peer = Peer::start().await;
    for version in 1..=1000 {
        peer.ask_apply(version, false).await;
        let asked = peer.edit_request().await;
        let mut both = frame(&changed(version));
        both.extend(frame(&json!({"jsonrpc": "2.0", "id": asked, "result": {"applied": true}})));
        peer.send_bytes(&both).await;
        assert_eq!(peer.response(version).await["result"], json!({"applied": true, "newest": version}));
    }
}
