//! Keys and logins, from the terminal and from an editor, against a real OAuth server and a fake GitHub.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use e2e::editor_or_skip;
use kit_testkit::{Answer, Launch, ModelServer, Oidc, Profile, Project, Reply};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Runs `kit-ls auth` with this on stdin and gives exit code and output.
async fn auth(launch: &Launch, words: &[&str], stdin: &str) -> (Option<i32>, String) {
    let words: Vec<&str> = std::iter::once("auth").chain(words.iter().copied()).collect();
    let mut program = launch.begin(&words);
    program.types(stdin).await;
    program.close_input();
    program.ends().await
}

fn logins(project: &Project) -> PathBuf {
    project.kit_home().join("config/.kit/credentials.json")
}

fn stored(project: &Project) -> Value {
    let text = std::fs::read_to_string(logins(project)).expect("logins are stored");
    serde_json::from_str(&text).expect("logins are JSON")
}

#[tokio::test]
async fn keys_are_stored_for_the_user_alone_and_never_shown() {
    let project = Project::new();
    let launch = Launch::new(&project).env("MISTRAL_API_KEY", "planted-in-the-environment");
    let (code, told) = auth(&launch, &["login", "groq"], "gsk-planted-key\n").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("groq: stored key of ") && !told.contains("planted"), "{told}");
    assert_eq!(auth(&launch, &["login", "Mistral", "--key"], "mistral-planted-key").await.0, Some(0));
    let groq = stored(&project)["groq"].clone();
    assert_eq!((&groq["type"], &groq["api_key"]), (&json!("api_key"), &json!("gsk-planted-key")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = logins(&project);
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }
    let (code, told) = auth(&launch, &["status"], "").await;
    assert!(code == Some(0) && !told.contains("planted"), "{told}");
    let line = |id: &str| told.lines().find(|line| line.contains(&format!(" {id} "))).unwrap_or_default();
    assert!(line("groq").contains("stored key of "), "{told}");
    assert!(
        line("anthropic").contains("set ANTHROPIC_API_KEY, or run `kit-ls auth login anthropic`"),
        "{told}"
    );
    assert!(told.contains(&format!("Logins are stored in {}.", logins(&project).display())), "{told}");
    // What is stored wins over the environment; without it the environment counts.
    let mistral = async || auth(&launch, &["status", "mistral"], "").await.1;
    assert!(mistral().await.contains("stored key of "));
    let (code, told) = auth(&launch, &["logout", "mistral"], "").await;
    assert_eq!((code, told.as_str()), (Some(0), "The login at mistral is forgotten here.\n"));
    assert!(mistral().await.contains("key from MISTRAL_API_KEY"));
    assert_eq!(stored(&project)["groq"], groq);
    let (code, told) = auth(&launch, &["logout", "mistral"], "").await;
    assert_eq!((code, told.as_str()), (Some(0), "There was no stored login at mistral.\n"));
    assert_eq!(auth(&launch, &["logout", "groq"], "").await.0, Some(0));
    assert!(!logins(&project).exists());
    let (code, told) = auth(&launch, &["status", "groq"], "").await;
    assert_eq!(code, Some(1), "{told}");
}

/// An editor that asks about a provider sees what was stored from a terminal meanwhile.
#[tokio::test]
async fn a_key_from_a_terminal_counts_in_a_running_editor() {
    let project = Project::new();
    let client = Launch::new(&project).env("KIT_MODEL", "groq/llama-3.3-70b-versatile").start().await;
    client.latest("kit/status", |status| status["state"] == "signedOut").await;
    assert_eq!(auth(&Launch::new(&project), &["login", "groq"], "gsk-planted-key\n").await.0, Some(0));
    let answer = client.command("kit.auth.status", json!({ "provider": "groq" })).await.expect("the status");
    assert_eq!(answer["providers"][0]["state"], "signedIn");
    client.latest("kit/status", |status| status["state"] == "idle").await;
    client.close().await;
}

#[tokio::test]
async fn a_mistake_says_what_is_near_and_changes_nothing() {
    let project = Project::new();
    let launch = Launch::new(&project);
    let failed = async |words: &[&str], stdin: &str| {
        let (code, told) = auth(&launch, words, stdin).await;
        assert_eq!(code, Some(1), "{told}");
        told
    };
    let told = failed(&["login", "antropic"], "sk").await;
    assert_eq!(told, "kit-ls: there is no provider `antropic`; did you mean anthropic?\n");
    let told = failed(&["login", "anthropic"], "sk-wrong").await;
    assert_eq!(
        told,
        "kit-ls: this is no key of anthropic: those begin with sk-ant- and are longer; copy it again from where the provider shows it\n"
    );
    let told = failed(&["login", "groq"], "\n").await;
    assert_eq!(told, "kit-ls: no key came on stdin; for example: kit-ls auth login groq < key.txt\n");
    let told = failed(&["login", "groq", "--account"], "").await;
    assert_eq!(told, "kit-ls: Groq takes keys and no logins; leave --account out\n");
    assert!(!logins(&project).exists());
}

#[tokio::test]
async fn nobody_elses_name_is_borrowed_unasked() {
    let project = Project::new();
    let launch = Launch::new(&project);
    for provider in ["anthropic", "openai", "copilot"] {
        let (code, told) = auth(&launch, &["login", provider, "--account"], "").await;
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains("is refused: it logs in ") && told.contains("to the setting borrowed-identity"),
            "{told}"
        );
    }
    let client = Launch::new(&project).start().await;
    let refused =
        client.command("kit.auth.login", json!({ "provider": "anthropic" })).await.expect_err("refused");
    assert_eq!(refused.kind(), "auth");
    assert!(
        refused.message.ends_with("add anthropic to the setting borrowed-identity"),
        "{}",
        refused.message
    );
    let refused = client.command("kit.auth.login", json!({ "provider": "groq" })).await.expect_err("refused");
    assert!(refused.message.ends_with("run `kit-ls auth login groq` in a terminal"), "{}", refused.message);
    let unknown =
        client.command("kit.auth.status", json!({ "provider": "opnai" })).await.expect_err("unknown");
    assert_eq!(
        (unknown.kind(), unknown.message.as_str()),
        ("not_found", "there is no provider `opnai`; did you mean openai?")
    );
    client.close().await;
}

#[tokio::test]
async fn the_default_model_is_the_only_line_that_changes() {
    let project = Project::new();
    let launch = Launch::new(&project).setting("mode", json!("ask"));
    let (code, told) = auth(&launch, &["login", "openai", "--set-default"], "sk-1").await;
    assert_eq!(code, Some(0), "{told}");
    let settings =
        std::fs::read_to_string(project.kit_home().join(".kit.json")).expect("the user's settings");
    let settings: Value = serde_json::from_str(&settings).expect("JSON");
    assert_eq!(settings["mode"], "ask");
    assert!(settings["model"].as_str().is_some_and(|model| model.starts_with("openai/")), "{settings}");
}

/// A gateway whose logins the OAuth server makes, and whose models are a model server's.
pub(crate) fn gateway(project: &Project, oidc: &Oidc, model: &ModelServer, flow: &str, path: &str) -> Launch {
    let at = |path: &str| format!("{}{path}", oidc.url());
    let mut login = json!({
        "clientId": "kit-tests", "scopes": "openid offline_access", "tokenUrl": at("/token"),
    });
    login[flow] = json!(at(path));
    let provider = json!({
        "name": "the gateway", "wire": "openai-compat", "baseUrl": format!("{}/v1", model.url()),
        "apiKeyEnv": ["GATEWAY_KEY"], "login": login,
    });
    Launch::new(project)
        .setting("providers", json!({ "gateway": provider }))
        .setting("model", json!("gateway/gpt-4o"))
}

/// Logs in at the gateway from a terminal, with the user in the browser.
pub(crate) async fn log_in(launch: &Launch, oidc: &Oidc) -> String {
    let program = launch.begin(&["auth", "login", "gateway", "--account"]);
    let page =
        |told: &str| told.lines().map(str::trim).find(|line| line.starts_with("http")).map(str::to_owned);
    let page = program.prints("page", page).await;
    let ended = oidc.browse(&page).await;
    assert!(ended["text"].as_str().is_some_and(|text| text.contains("Kit has the login")), "{ended}");
    let (code, told) = program.ends().await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("gateway: login with an account at gateway"), "{told}");
    told
}

#[tokio::test]
async fn a_login_in_the_browser_holds_for_every_process() {
    let Some(program) = editor_or_skip("oidc") else { return };
    let (project, oidc, model) = (Project::new(), Oidc::start(&program), ModelServer::start().await);
    let launch = gateway(&project, &oidc, &model, "authorizeUrl", "/auth");
    let told = log_in(&launch, &oidc).await;
    let first = stored(&project)["gateway"].clone();
    for field in ["access_token", "refresh_token"] {
        let secret = first[field].as_str().expect("a token");
        assert!(!told.contains(secret), "{told}");
    }
    // The server's tokens last a minute, so each process renews, and a refresh token that is used twice ends the login.
    for _ in 0..4 {
        model.reply(Reply::new().text("here"));
    }
    let runs: Vec<_> = (0..4).map(|_| launch.begin(&["run", "go", "--no-session"])).collect();
    for run in runs {
        let (code, told) = run.ends().await;
        assert_eq!(code, Some(0), "{told}");
    }
    assert_eq!(oidc.count("refresh_token").await, 4);
    assert_eq!(oidc.count("refresh_token invalid_grant").await, 0);
    let second = stored(&project)["gateway"].clone();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(first["created_at"], second["created_at"]);
    let sent: Vec<String> = model
        .requests()
        .iter()
        .filter_map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|header| header.starts_with("Bearer ")), "{sent:?}");
    let last = format!("Bearer {}", second["access_token"].as_str().expect("a token"));
    assert!(sent.contains(&last));
}

#[tokio::test]
async fn a_login_that_the_provider_ended_says_how_to_go_on() {
    let Some(program) = editor_or_skip("oidc") else { return };
    let (project, oidc, model) = (Project::new(), Oidc::start(&program), ModelServer::start().await);
    let launch = gateway(&project, &oidc, &model, "authorizeUrl", "/auth");
    log_in(&launch, &oidc).await;
    let mut entries = stored(&project);
    entries["gateway"]["refresh_token"] = json!("planted-and-unknown");
    std::fs::write(logins(&project), entries.to_string()).expect("the file can be written");
    let (code, told) = launch.begin(&["run", "go", "--no-session"]).ends().await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("the login at gateway has ended (invalid_grant"), "{told}");
    assert!(told.contains("log in again with `kit-ls auth login gateway`"), "{told}");
    assert!(!told.contains("planted"), "{told}");
}

#[tokio::test]
async fn an_editor_shows_the_code_and_answers_at_once() {
    let Some(program) = editor_or_skip("oidc") else { return };
    let (project, oidc, model) = (Project::new(), Oidc::start(&program), ModelServer::start().await);
    let record = project.kit_home().join("record.jsonl");
    let client = gateway(&project, &oidc, &model, "deviceUrl", "/device/auth")
        .argument("--record")
        .argument(record.display().to_string())
        .start()
        .await;
    client.latest("kit/status", |status| status["state"] == "signedOut").await;
    client.behave(|behavior| behavior.ask = Box::new(|_| Answer::Hold));
    let answer = client.command("kit.auth.login", json!({ "provider": "gateway" })).await.expect("accepted");
    assert_eq!(
        (&answer["providers"][0]["id"], &answer["providers"][0]["state"]),
        (&json!("gateway"), &json!("pending"))
    );
    let (id, question) = client.server_request("kit/ask", 0).await;
    assert_eq!((&question["kind"], &question["options"][0]), (&json!("overlay"), &json!("Open the page")));
    let text = question["message"].as_str().expect("a text");
    let code = text.split("**").nth(1).expect("a code").to_owned();
    client
        .notification("$/progress", |params| {
            params["value"]["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(&format!("enter {code} at ")))
        })
        .await;
    client.answer(&id, json!({ "index": 0, "value": "Open the page", "cancelled": false }));
    let (_, shown) = client.server_request("window/showDocument", 0).await;
    assert_eq!(
        (&shown["uri"], &shown["external"]),
        (&json!(format!("{}/device?user_code={code}", oidc.url())), &json!(true))
    );
    assert_eq!(oidc.enter(&code).await["text"], "done");
    let told = client.notification("window/showMessage", |_| true).await;
    assert!(
        told["message"].as_str().is_some_and(|text| text.starts_with("Kit: gateway: login with ")),
        "{told}"
    );
    client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
    client.latest("kit/status", |status| status["state"] == "idle").await;
    let status = client.command("kit.auth.status", json!({ "provider": "gateway" })).await.expect("a status");
    let provider = &status["providers"][0];
    assert_eq!((&provider["state"], &provider["source"]), (&json!("signedIn"), &json!("stored")));
    model.reply(Reply::new().text("here"));
    assert_eq!(client.run("go").await.response(), "here");
    let entry = stored(&project)["gateway"].clone();
    let bearer = format!("Bearer {}", entry["access_token"].as_str().expect("a token"));
    assert_eq!(model.request(0).await.header("authorization"), Some(bearer.as_str()));
    let out = client.command("kit.auth.logout", json!({ "provider": "gateway" })).await.expect("accepted");
    assert_eq!(out["providers"][0]["state"], "signedOut");
    client.latest("kit/status", |status| status["state"] == "signedOut").await;
    client.close().await;
    let traffic = std::fs::read_to_string(&record).expect("the recording");
    for field in ["access_token", "refresh_token"] {
        let secret = entry[field].as_str().expect("a token");
        for (path, bytes) in Project::tree(&project.kit_home()) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(secret), "{} holds a token", path.display());
        }
        assert!(!traffic.contains(secret));
    }
}

#[tokio::test]
async fn a_login_in_an_editor_can_be_cancelled() {
    let Some(program) = editor_or_skip("oidc") else { return };
    let (project, oidc, model) = (Project::new(), Oidc::start(&program), ModelServer::start().await);
    let client =
        gateway(&project, &oidc, &model, "deviceUrl", "/device/auth").profile(Profile::Bare).start().await;
    client.behave(|behavior| behavior.message = Box::new(|_| Answer::Hold));
    client.command("kit.auth.login", json!({ "provider": "gateway" })).await.expect("accepted");
    // A client without `kit/ask` reads the code in a message.
    let (_, question) = client.server_request("window/showMessageRequest", 0).await;
    assert!(
        question["message"].as_str().is_some_and(|text| text.contains("enter the code **")),
        "{question}"
    );
    assert_eq!(question["actions"][1]["title"], "Cancel the login");
    let progress = client.notification("$/progress", |params| params["value"]["kind"] == "begin").await;
    assert_eq!(progress["value"]["title"], "Kit login");
    client.notify("window/workDoneProgress/cancel", json!({ "token": progress["token"] }));
    let told = client.notification("window/showMessage", |_| true).await;
    assert_eq!(told["message"], "Kit: the login at gateway was cancelled; nothing was changed");
    client.notification("$/progress", |params| params["value"]["kind"] == "end").await;
    let status = client.command("kit.auth.status", json!({ "provider": "gateway" })).await.expect("a status");
    assert_eq!(status["providers"][0]["state"], "signedOut");
    assert!(!logins(&project).exists());
    client.close().await;
}

/// GitHub as far as a login goes: `pending` answers before the token, and an end of Copilot's token in this form.
async fn github(pending: usize, expires: Value) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = asked.clone();
    tokio::spawn(async move {
        let mut left = pending;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&bytes).contains("\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
                    Ok(_) | Err(_) => break,
                }
            }
            let head = String::from_utf8_lossy(&bytes).into_owned();
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = match target.as_str() {
                "/device" => {
                    json!({ "device_code": "device-planted", "user_code": "ABCD-1234", "interval": 1,
                    "expires_in": 900, "verification_uri": "https://github.test/login/device" })
                }
                "/token" if left > 0 => {
                    left -= 1;
                    json!({ "error": "authorization_pending" })
                }
                "/token" => {
                    json!({ "access_token": "gho-planted", "token_type": "bearer", "scope": "read:user" })
                }
                _ => json!({ "token": "tid=planted", "expires_at": expires }),
            };
            notes.lock().expect("no holder fails").push(target);
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            // The other side may have gone, which the test sees by what it does not get.
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

/// Statement 39.
#[tokio::test]
async fn a_login_at_github_becomes_a_token_of_copilot() {
    let project = Project::new().file("other.txt", "");
    let (address, asked) = github(1, json!("2126-11-21T10:00:00Z")).await;
    let at = |path: &str| format!("{address}/{path}");
    let login = json!({ "deviceUrl": at("device"), "tokenUrl": at("token"), "exchangeUrl": at("exchange") });
    let launch = Launch::new(&project)
        .setting("borrowedIdentity", json!(["copilot"]))
        .setting("providers", json!({ "copilot": { "login": login } }));
    assert_eq!(auth(&launch, &["login", "groq"], "gsk").await.0, Some(0));
    let (code, told) = auth(&launch, &["login", "copilot"], "").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("https://github.test/login/device") && told.contains("ABCD-1234"), "{told}");
    assert!(told.contains("github-copilot: login with GitHub Copilot"), "{told}");
    assert_eq!(*asked.lock().unwrap(), ["/device", "/token", "/token", "/exchange"]);
    let entry = stored(&project)["copilot"].clone();
    assert_eq!(
        [&entry["type"], &entry["github_token"], &entry["copilot_access_token"], &entry["expires_at"]],
        [&json!("oauth"), &json!("gho-planted"), &json!("tid=planted"), &json!(4_950_928_800_u64)]
    );
    let (code, told_later) = auth(&launch, &["status", "copilot"], "").await;
    assert_eq!(code, Some(0), "{told_later}");
    assert!(told_later.contains("token renewed by itself"), "{told_later}");
    for text in [told, told_later] {
        assert!(!text.contains("planted"), "{text}");
    }
    let (_, told) = auth(&launch, &["logout", "copilot"], "").await;
    assert!(told.contains("The provider still knows it"), "{told}");
    assert_eq!(stored(&project)["groq"]["api_key"], "gsk");
}
