//! Figures of the whole program, taken over the protocol by the client and the model server of the tests.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kit_testkit::{Gate, LanguageClient, Launch, ModelServer, Project, Reply, Wire};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Figure;

const STARTS: usize = 20;
const CHUNKS: usize = 200;
const KEYSTROKES: usize = 2000;
const LINES: usize = 100_000;
const ENTRIES: usize = 100_000;
const SESSIONS: usize = 1000;
/// Megabytes of an answer that is almost all padding.
const FLOOD: usize = 100;

pub(super) async fn measure(server: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    println!("starting {STARTS} times");
    figures.extend(start(server).await?);
    println!("streaming {CHUNKS} chunks");
    figures.push(stream(server).await);
    println!("typing {KEYSTROKES} keys");
    figures.push(stream_lines(server).await);
    figures.push(typing(server).await);
    println!("streaming {FLOOD} MB");
    figures.extend(flood(server).await?);
    println!("resuming {ENTRIES} entries, listing {SESSIONS} sessions");
    figures.push(resume(server).await?);
    figures.push(list(server).await?);
    Ok(figures)
}

fn launch(server: &Path, project: &Project) -> Launch {
    Launch::new(project).program(server).setting("mode", json!("edit"))
}

/// The value below which this share of the samples lies.
fn quantile(mut samples: Vec<f64>, share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let index = ((samples.len() - 1) as f64 * share).round() as usize;
    samples.get(index).copied().unwrap_or(f64::NAN)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

async fn start(server: &Path) -> Result<Vec<Figure>> {
    let mut times = Vec::new();
    let mut sizes = Vec::new();
    for _ in 0..STARTS {
        let project = Project::new();
        let launch = launch(server, &project);
        let parameters = launch.initialize_parameters();
        let begin = Instant::now();
        let client = launch.spawn().await;
        let answer = client.request("initialize", parameters).await;
        times.push(milliseconds(begin.elapsed()));
        answer.ok().context("initialize failed")?;
        client.notify("initialized", json!({}));
        // The answer to another request shows that what `initialized` started has begun.
        let _listed = client.command("kit.session.list", json!({})).await;
        sizes.extend(resident_mebibytes(client.process_id()));
        client.close().await;
    }
    let mut figures = vec![
        Figure::new(
            format!("initialize from process start, median of {STARTS}"),
            quantile(times.clone(), 0.5),
            20.0,
            "ms",
        ),
        Figure::new("initialize from process start, slowest", quantile(times, 1.0), 20.0, "ms"),
    ];
    if sizes.is_empty() {
        println!("this system does not tell the resident memory of a process");
    } else {
        figures.push(Figure::new("resident memory after initialize", quantile(sizes, 0.5), 25.0, "MiB"));
    }
    Ok(figures)
}

fn resident_mebibytes(process: u32) -> Option<f64> {
    mebibytes(process, "VmRSS:")
}

fn mebibytes(process: u32, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// An answer of chunks, each of which waits for its gate.
fn gated() -> (Vec<Gate>, Reply) {
    let gates: Vec<Gate> = (0..CHUNKS).map(|_| Gate::new()).collect();
    let reply = gates
        .iter()
        .enumerate()
        .fold(Reply::new(), |reply, (index, gate)| reply.gate(gate).text(&format!("[{index}]")));
    (gates, reply)
}

/// The same as [`stream`] over the Agent Client Protocol.
async fn stream_lines(server: &Path) -> Figure {
    let project = Project::new();
    let model = ModelServer::start().await;
    let mut agent = launch(server, &project).model(&model, Wire::Messages).begin(&["acp"]);
    let (gates, reply) = gated();
    model.reply(reply);
    let request = |id: u32, method: &str, params: Value| {
        format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    };
    let mut ask = request(1, "initialize", json!({ "protocolVersion": 1 }));
    ask.push_str(&request(2, "session/new", json!({ "cwd": project.root(), "mcpServers": [] })));
    agent.types(&ask).await;
    let session = agent
        .prints("session", |printed| {
            let mut answers = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            Some(answers.find(|answer| answer["id"] == 2)?["result"]["sessionId"].clone())
        })
        .await;
    let prompt = json!({ "sessionId": session, "prompt": [{ "type": "text", "text": "go" }] });
    agent.types(&request(3, "session/prompt", prompt)).await;
    let mut times = Vec::new();
    for (index, gate) in gates.iter().enumerate() {
        gate.reached().await;
        // Apart from each other by more than the interval in which texts are merged.
        tokio::time::sleep(Duration::from_millis(40)).await;
        let text = format!("[{index}]\"");
        let begin = Instant::now();
        gate.open();
        agent.prints("chunk", |printed| printed.contains(&text).then_some(())).await;
        times.push(milliseconds(begin.elapsed()));
    }
    agent.close_input();
    agent.ends().await;
    Figure::new("received byte to session/update, p99", quantile(times, 0.99), 5.0, "ms")
}

async fn stream(server: &Path) -> Figure {
    let project = Project::new();
    let model = ModelServer::start().await;
    let client = launch(server, &project).model(&model, Wire::Messages).start().await;
    let (gates, reply) = gated();
    model.reply(reply);
    let turn = client.prompt("go").await;
    let mut times = Vec::new();
    for (index, gate) in gates.iter().enumerate() {
        gate.reached().await;
        // Apart from each other by more than the interval in which texts are merged.
        tokio::time::sleep(Duration::from_millis(40)).await;
        let text = format!("[{index}]");
        let begin = Instant::now();
        gate.open();
        client.event(|event| event["chunk"].as_str().is_some_and(|chunk| chunk.ends_with(&text))).await;
        times.push(milliseconds(begin.elapsed()));
    }
    client.finish(&turn).await;
    client.close().await;
    Figure::new("received byte to notification, p99", quantile(times, 0.99), 5.0, "ms")
}

/// How long the program reads an answer of that size, and how much more memory it needs for it at most.
async fn flood(server: &Path) -> Result<Vec<Figure>> {
    const PADDING: usize = 64 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let serving = tokio::spawn(async move {
        let padding = "x".repeat(PADDING);
        let event = format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}],\"obfuscation\":\"{padding}\"}}\n\n"
        );
        let (mut stream, _) = listener.accept().await?;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        for _ in 0..FLOOD * 1_000_000 / event.len() {
            stream.write_all(event.as_bytes()).await?;
        }
        let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        stream.write_all(end.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing with a part of the request unread would take the answer back.
        let mut rest = [0; PADDING];
        while stream.read(&mut rest).await? > 0 {}
        anyhow::Ok(())
    });
    let project = Project::new();
    let client = launch(server, &project).model_at(&address, Wire::ChatCompletions).start().await;
    let before = mebibytes(client.process_id(), "VmHWM:");
    let begin = Instant::now();
    let report = client.run("go").await;
    let took = milliseconds(begin.elapsed());
    anyhow::ensure!(report.stop_reason() == "end_turn", "the flood ended with {:?}", report.end());
    let after = mebibytes(client.process_id(), "VmHWM:");
    client.close().await;
    serving.await??;
    let mut figures = vec![Figure::new(format!("answer of {FLOOD} MB, read to its end"), took, 1000.0, "ms")];
    figures.extend(before.zip(after).map(|(before, after)| {
        Figure::new(format!("more memory for an answer of {FLOOD} MB"), after - before, 16.0, "MiB")
    }));
    Ok(figures)
}

/// A keystroke is followed by a request, because a notification has no answer; what such a request takes by itself is
/// measured too and subtracted.
async fn typing(server: &Path) -> Figure {
    let project = Project::new();
    let client = launch(server, &project).start().await;
    let line = "    let value = compute(first, second) + third; // and a comment\n";
    client.open_text("big.rs", &line.repeat(LINES), false);
    let uri = project.uri("big.rs");
    let round_trip = |client: &LanguageClient| {
        let id = client
            .start_request("textDocument/codeLens", json!({ "textDocument": { "uri": "file:///nobody" } }));
        (id, Instant::now())
    };
    let mut alone = Vec::new();
    let mut with_key = Vec::new();
    for index in 0..KEYSTROKES {
        let (id, begin) = round_trip(&client);
        let _lenses = client.response(id).await;
        alone.push(milliseconds(begin.elapsed()));

        let at = json!({ "line": (index * 7919) % LINES, "character": 8 });
        let change = json!({ "range": { "start": at, "end": at }, "text": "x" });
        let begin = Instant::now();
        client.notify(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": index + 2 }, "contentChanges": [change] }),
        );
        let (id, _) = round_trip(&client);
        let _lenses = client.response(id).await;
        with_key.push(milliseconds(begin.elapsed()));
    }
    client.close().await;
    let cost = (quantile(with_key, 0.99) - quantile(alone, 0.5)).max(0.0);
    Figure::new("keystroke in 100,000 lines over the protocol, p99", cost, 0.2, "ms")
}

/// Writes a session of this many entries as upstream's format has it and returns its id.
fn write_session(folder: &Path, cwd: &Path, number: usize, entries: usize) -> Result<String> {
    let id = format!("{number:032x}");
    let time = "2026-11-20T12:00:00.000Z";
    let mut text = json!({ "type": "session", "version": 3, "id": id, "timestamp": time, "cwd": cwd })
        .to_string()
        + "\n";
    let mut parent = String::new();
    for index in 0..entries {
        let entry = format!("{:016x}", index + 1);
        let role = if index % 2 == 0 { "user" } else { "assistant" };
        let mut line = json!({
            "type": "message", "id": entry, "timestamp": time, "role": role,
            "parts": [{ "type": "text", "data": { "text": format!("message {index} of the session, with a few words in it") } }],
        });
        if !parent.is_empty() {
            line["parent_id"] = json!(parent);
        }
        parent = entry;
        text.push_str(&line.to_string());
        text.push('\n');
    }
    std::fs::write(folder.join(format!("2026-11-20T12-00-00-000Z_{number:012x}.jsonl")), text)?;
    Ok(id)
}

/// The folder in which the server keeps the sessions of a project: where it put its own first one.
async fn session_folder(server: &Path, project: &Project) -> Result<std::path::PathBuf> {
    let model = ModelServer::start().await;
    let client = launch(server, project).model(&model, Wire::Messages).start().await;
    model.reply(Reply::new().text("hello"));
    client.run("hello").await;
    client.close().await;
    let file = project.session_files().into_iter().next().context("no session file was written")?;
    Ok(file.parent().context("a file lies in a folder")?.to_owned())
}

async fn timed(client: &LanguageClient, command: &str, argument: Value) -> Result<(Value, f64)> {
    let begin = Instant::now();
    let answer = client.command(command, argument).await;
    let took = milliseconds(begin.elapsed());
    Ok((answer.map_err(|error| anyhow::anyhow!("{command}: {}", error.message))?, took))
}

async fn resume(server: &Path) -> Result<Figure> {
    let project = Project::new();
    let folder = session_folder(server, &project).await?;
    let id = write_session(&folder, &project.root(), 7, ENTRIES)?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let client = launch(server, &project).start().await;
        times.push(timed(&client, "kit.session.open", json!({ "session": id })).await?.1);
        client.close().await;
    }
    Ok(Figure::new("resume of a session of 100,000 entries, median", quantile(times, 0.5), 300.0, "ms"))
}

async fn list(server: &Path) -> Result<Figure> {
    let project = Project::new();
    let folder = session_folder(server, &project).await?;
    for number in 1..SESSIONS {
        write_session(&folder, &project.root(), number, 20)?;
    }
    let mut times = Vec::new();
    for _ in 0..5 {
        let client = launch(server, &project).start().await;
        let (answer, took) = timed(&client, "kit.session.list", json!({})).await?;
        let listed = answer["sessions"].as_array().map_or(0, Vec::len);
        anyhow::ensure!(listed == SESSIONS, "{listed} sessions are listed");
        times.push(took);
        client.close().await;
    }
    Ok(Figure::new("list of 1,000 sessions, median", quantile(times, 0.5), 50.0, "ms"))
}
