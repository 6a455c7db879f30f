//! Models as a user names them: on the command line, with an address of one's own, recorded and played again.

use std::path::Path;
use std::process::{Command, Output};

use kit_testkit::{Launch, ModelServer, Project, Reply, Wire, cache, deadline};
use serde_json::{Value, json};

/// Runs `kit-ls` with these arguments and variables and waits for its end.
fn run(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(cache::kit_ls());
    command.args(arguments).current_dir(project.root()).env_clear();
    for name in ["PATH", "LLVM_PROFILE_FILE"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("HOME", project.home()).env("KIT_HOME", project.kit_home());
    // No server of this machine takes part.
    for name in ["OLLAMA_BASE_URL", "LMSTUDIO_BASE_URL", "LLAMACPP_BASE_URL", "VLLM_BASE_URL"] {
        command.env(name, "http://127.0.0.1:9/v1");
    }
    command.envs(variables.iter().copied()).output().expect("kit-ls runs")
}

fn said(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn models_are_listed_for_providers_that_can_be_used() {
    let project = Project::new();
    let (ok, listed, _) = said(&run(&project, &["models"], &[("GROQ_API_KEY", "k")]));
    assert!(ok && listed.contains("groq (Groq, key from GROQ_API_KEY)\n"), "{listed}");
    assert!(!listed.contains("anthropic ("), "{listed}");
    let (ok, all, _) = said(&run(&project, &["models", "--all"], &[]));
    assert!(ok && all.contains("anthropic (Anthropic, no key)\n") && all.lines().count() > 4000);
    let (ok, one, _) = said(&run(&project, &["models", "copilot"], &[]));
    assert!(ok && one.starts_with("github-copilot (GitHub Copilot, no key)\n"), "{one}");
    let (ok, _, complaint) = said(&run(&project, &["models", "anthropc"], &[]));
    assert!(
        !ok && complaint.contains("there is no provider `anthropc`") && complaint.contains("anthropic"),
        "{complaint}"
    );
}

#[test]
fn a_refreshed_list_wins_until_it_is_taken_back() {
    let project = Project::new();
    let source = project.home().join("api.json");
    let model = json!({ "groq": { "models": { "brand-new": {
        "name": "Brand New", "tool_call": true, "limit": { "context": 5000, "output": 100 }, "cost": { "input": 1.5, "output": 2 },
    } } } });
    std::fs::write(&source, model.to_string()).expect("the list can be written");
    let source = source.display().to_string();
    let lists = || said(&run(&project, &["models", "groq"], &[])).1.contains("brand-new");
    assert!(!lists());
    let (ok, told, complaint) = said(&run(&project, &["models", "update", &source], &[]));
    assert!(ok && told.starts_with("1 models are known"), "{told}{complaint}");
    assert!(lists() && project.kit_home().join("cache/models.json").is_file());
    std::fs::write(&source, "<html>").expect("the list can be written");
    let (ok, _, complaint) = said(&run(&project, &["models", "update", &source], &[]));
    assert!(!ok && complaint.contains("nothing was changed"), "{complaint}");
    assert!(lists());
    assert!(said(&run(&project, &["models", "update", "embedded"], &[])).0);
    assert!(!lists());
}

fn arguments(launch: Launch, arguments: &[&str]) -> Launch {
    arguments.iter().fold(launch, |launch, argument| launch.argument(*argument))
}

/// Statement 40.
#[tokio::test]
async fn a_model_named_with_an_address_is_asked_there() {
    for (model, sent) in [("google/gemma-4-12b", "gemma-4-12b"), ("custom/mine", "mine"), ("mine", "mine")] {
        let project = Project::new();
        let server = ModelServer::start().await;
        let url = format!("{}/v1", server.url());
        let client =
            arguments(Launch::new(&project), &["--provider-url", &url, "--model", model]).start().await;
        server.reply(Reply::new().text("here"));
        assert_eq!(client.run("go").await.response(), "here", "{model}");
        let request = server.request(0).await;
        assert_eq!((request.wire, &request.body["model"]), (Wire::ChatCompletions, &json!(sent)), "{model}");
        client.close().await;
    }
    // Without an address the model goes where its provider is.
    let project = Project::new();
    let server = ModelServer::start().await;
    let launch = Launch::new(&project)
        .env("GEMINI_API_KEY", "k")
        .env("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9/v1beta");
    let run = launch.run(&["run", "--json", "--model", "google/gemma-4-12b", "go"]).await;
    assert!(run.code == Some(1) && run.stdout.contains("no server for Google Gemini answers"), "{run:?}");
    let nowhere = launch.run(&["run", "--json", "--model", "custom/mine", "go"]).await;
    assert!(nowhere.code == Some(1) && nowhere.stdout.contains("provider-url"), "{nowhere:?}");
    let url = format!("{}/v1", server.url());
    server.reply(Reply::new().text("here"));
    let run = launch.run(&["run", "--json", "--provider-url", &url, "--model", "custom/mine", "go"]).await;
    let request = server.request(0).await;
    assert_eq!(
        (run.code, request.wire, &request.body["model"]),
        (Some(0), Wire::ChatCompletions, &json!("mine"))
    );

    // With a wire the model keeps its provider.
    let project = Project::new();
    let server = ModelServer::start().await;
    let options =
        ["--provider-url", &server.url(), "--provider-wire", "anthropic", "--model", "openai/claude-x"];
    let client = arguments(Launch::new(&project).env("OPENAI_API_KEY", "k"), &options).start().await;
    server.reply(Reply::new().text("here"));
    assert_eq!(client.run("go").await.response(), "here");
    let request = server.request(0).await;
    assert_eq!((request.wire, &request.body["model"]), (Wire::Messages, &json!("claude-x")));
    client.close().await;
}

#[tokio::test]
async fn what_a_model_sent_can_be_recorded_and_played_again() {
    let project = Project::new();
    let server = ModelServer::start().await;
    let recording = project.home().join("model.jsonl");
    let path = recording.display().to_string();
    let launch = Launch::new(&project).model(&server, Wire::Messages);
    let client = arguments(launch, &["--record-model", &path]).start().await;
    server.reply(Reply::new().text("so it ").text("was"));
    assert_eq!(client.run("go").await.response(), "so it was");
    client.close().await;
    let recorded = std::fs::read_to_string(&recording).expect("a recording");
    assert!(!recorded.contains("planted-secret"), "{recorded}");
    let client = Launch::new(&project).setting("model", json!(format!("recorded/{path}"))).start().await;
    assert_eq!(client.run("go").await.response(), "so it was");
    client.close().await;
}

#[tokio::test]
async fn a_level_that_the_model_lacks_is_told_once() {
    let project = Project::new();
    let server = ModelServer::start().await;
    let client = Launch::new(&project)
        .model(&server, Wire::ChatCompletions)
        .setting("thinking-level", json!("high"))
        .start()
        .await;
    for told in [1, 0] {
        server.reply(Reply::new().text("done"));
        let report = client.run("go").await;
        let changes = report.all("thinking_change");
        assert_eq!(changes.len(), told, "{:?}", report.types());
        for change in changes {
            let fields =
                ["level", "previous", "source"].map(|field| change[field].as_str().unwrap_or_default());
            assert_eq!(fields, ["off", "high", "model_fallback"]);
        }
    }
    client.close().await;
}

#[tokio::test]
async fn the_doctor_tells_connections_and_the_status_unchecked_certificates() {
    let project = Project::new();
    let server = ModelServer::start().await;
    let launch = Launch::new(&project).model(&server, Wire::Messages).setting("tls-skip-verify", json!(true));
    let client = launch.start().await;
    server.reply(Reply::new().text("done"));
    client.run("go").await;
    let is_told = |status: &Value| {
        status["label"].as_str().is_some_and(|label| label.ends_with("certificates are not checked"))
    };
    client.latest("kit/status", is_told).await;
    let answer = client.command("kit.doctor", json!({})).await.expect("the doctor answers");
    let check = |name: &str| {
        let checks = answer["checks"].as_array().into_iter().flatten();
        checks.clone().find(|check| check["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(check("connections")["detail"], "to 1 model servers, 0 in use, 1 idle");
    assert_eq!(check("certificates")["ok"], false);
    client.close().await;
}

/// A server with a certificate that nobody knows: refused, accepted when it is named, and accepted unseen when told so.
#[tokio::test]
async fn a_certificate_of_ones_own_is_refused_until_it_is_named() {
    let Some(server) = TlsServer::start().await else { return };
    let project = Project::new();
    let start = || {
        Launch::new(&project)
            .env("ANTHROPIC_BASE_URL", &server.url)
            .env("ANTHROPIC_API_KEY", "k")
            .setting("model", json!("anthropic/claude-sonnet-4-5"))
    };
    let client = start().start().await;
    let report = client.run("go").await;
    let message = report.only("error")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("is not safe") && message.contains("`ca-certificates`"), "{message}");
    client.close().await;
    let certificate = server.certificate.display().to_string();
    let named = start().setting("ca-certificates", json!([certificate]));
    for launch in [named, start().setting("tls-skip-verify", json!(true))] {
        let client = launch.start().await;
        assert_eq!(client.run("go").await.response(), "safely here");
        client.close().await;
    }
}

/// `openssl s_server` with a certificate made for this run, which answers every request with the same stream.
struct TlsServer {
    url: String,
    certificate: std::path::PathBuf,
    serving: tokio::task::JoinHandle<()>,
    _folder: Project,
}

impl TlsServer {
    async fn start() -> Option<Self> {
        if !Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: openssl is not installed");
            return None;
        }
        let folder = Project::new();
        let (key, certificate) = (folder.home().join("key.pem"), folder.home().join("cert.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = port.local_addr().expect("an address").to_string();
        drop(port);
        let serving = tokio::spawn(serve(address.clone(), key, certificate.clone()));
        // A connection that says nothing is let go, so asking whether it listens takes nothing away.
        let listens = async {
            while tokio::net::TcpStream::connect(&address).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(deadline(), listens).await.expect("openssl listens");
        Some(Self { url: format!("https://{address}"), certificate, serving, _folder: folder })
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers one connection after the other.
async fn serve(address: String, key: impl AsRef<Path>, certificate: impl AsRef<Path>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let events = [
        json!({ "type": "message_start", "message": { "model": "m", "usage": { "input_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "safely here" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 1 } }),
        json!({ "type": "message_stop" }),
    ];
    let body: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut child = tokio::process::Command::new("openssl")
        .args(["s_server", "-quiet", "-accept", &address])
        .arg("-key")
        .arg(key.as_ref())
        .arg("-cert")
        .arg(certificate.as_ref())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("openssl runs");
    let mut input = child.stdin.take().expect("piped");
    let mut output = child.stdout.take().expect("piped");
    let mut received = Vec::new();
    let mut piece = [0; 65_536];
    while let Ok(length @ 1..) = output.read(&mut piece).await {
        received.extend_from_slice(&piece[..length]);
        // The end of a body is not looked for: the request is long, and its last byte closes an object.
        if received.ends_with(b"}") {
            received.clear();
            input.write_all(answer.as_bytes()).await.expect("openssl reads");
            input.flush().await.expect("openssl reads");
        }
    }
}
