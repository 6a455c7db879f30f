//! Logins whose secrets are kept by the secret service of a desktop: GNOME's keyring, on a session bus of its own.

use std::path::PathBuf;
use std::time::Instant;

use e2e::editor_or_skip;
use kit_testkit::{Door, Keyring, Launch, ModelServer, Oidc, Project, Reply, Wire};
use serde_json::{Value, json};

use crate::logins::{gateway, log_in as log_in_at};

/// How long a keyring that nobody unlocks may hold up a command.
const PATIENCE_SECONDS: u64 = 10;

fn logins(project: &Project) -> PathBuf {
    project.kit_home().join("config/.kit/credentials.json")
}

fn stored(project: &Project) -> Value {
    let text = std::fs::read_to_string(logins(project)).expect("logins are stored");
    serde_json::from_str(&text).expect("logins are JSON")
}

/// A program that keeps its secrets on this bus and speaks to this model.
fn launch(project: &Project, bus: &str, model: &ModelServer) -> Launch {
    Launch::new(project)
        .model(model, Wire::ChatCompletions)
        .without_env("OPENAI_API_KEY")
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .setting("credential-store", json!("keychain"))
}

async fn log_in(launch: &Launch, key: &str) -> (Option<i32>, String) {
    let mut program = launch.begin(&["auth", "login", "openai", "--key"]);
    program.types(key).await;
    program.close_input();
    program.ends().await
}

/// Runs the words and gives exit code and output.
async fn run(launch: &Launch, words: &[&str]) -> (Option<i32>, String) {
    let mut program = launch.begin(words);
    program.close_input();
    program.ends().await
}

const ASK: [&str; 3] = ["run", "go", "--no-session"];

#[tokio::test]
async fn a_key_in_the_keychain_is_used_and_its_file_has_no_secret() {
    let Some(program) = editor_or_skip("keyring") else { return };
    let (project, model) = (Project::new(), ModelServer::start().await);
    let keyring = Keyring::start(&program, &project.home(), Door::Unlocked);
    let launch = launch(&project, keyring.address(), &model);
    let (code, told) = log_in(&launch, "sk-planted-in-the-keychain").await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("(stored in the system keychain)"), "{told}");
    let entry = stored(&project)["openai"].clone();
    assert_eq!(
        (&entry["type"], &entry["keychain"], &entry["api_key"]),
        (&json!("api_key"), &json!(true), &Value::Null)
    );
    for (path, bytes) in Project::tree(&project.kit_home()) {
        assert!(!String::from_utf8_lossy(&bytes).contains("planted-in-the-keychain"), "{}", path.display());
    }
    model.reply(Reply::new().text("here"));
    let (code, told) = run(&launch, &ASK).await;
    assert_eq!(code, Some(0), "{told}");
    let sent = model.request(0).await;
    assert_eq!(sent.header("authorization"), Some("Bearer sk-planted-in-the-keychain"));

    // Another key takes its place, and the status needs no keychain.
    assert_eq!(log_in(&launch, "sk-planted-second").await.0, Some(0));
    model.reply(Reply::new().text("here"));
    assert_eq!(run(&launch, &ASK).await.0, Some(0));
    assert_eq!(model.request(1).await.header("authorization"), Some("Bearer sk-planted-second"));
    let file = std::fs::read(logins(&project)).expect("logins are stored");
    let elsewhere = launch.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    let (code, told) = run(&elsewhere, &["auth", "status", "openai"]).await;
    assert!(code == Some(0) && told.contains("stored key of "), "{told}");

    // What is forgotten is forgotten in the keychain too, so that an old file leads to nothing.
    let launch = elsewhere.env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    assert_eq!(run(&launch, &["auth", "logout", "openai"]).await.0, Some(0));
    assert!(!logins(&project).exists());
    std::fs::write(logins(&project), file).expect("the file can be written");
    let (code, told) = run(&launch, &ASK).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("it has no login at openai"), "{told}");
}

#[tokio::test]
async fn a_keychain_that_is_locked_or_absent_is_told_at_once_with_the_mend() {
    let Some(program) = editor_or_skip("keyring") else { return };
    let (project, model) = (Project::new(), ModelServer::start().await);
    let keyring = Keyring::start(&program, &project.home(), Door::Unlocked);
    assert_eq!(log_in(&launch(&project, keyring.address(), &model), "sk-planted-key").await.0, Some(0));
    drop(keyring);
    let before = stored(&project);
    let mend = "unlock it, or set credential-store to file and log in again";
    let locked = Keyring::start(&program, &project.home(), Door::Locked);
    for (bus, reason) in [
        (locked.address(), "it is locked and was not unlocked"),
        ("unix:path=/nowhere", "no secret service runs here, as without a desktop"),
    ] {
        let launch = launch(&project, bus, &model);
        for words in [&ASK[..], &["auth", "logout", "openai"]] {
            let begin = Instant::now();
            let (code, told) = run(&launch, words).await;
            assert_eq!(code, Some(1), "{told}");
            let sentence = format!("the system keychain cannot be used ({reason}); {mend}");
            assert!(told.contains(&sentence), "{told}");
            assert!(
                begin.elapsed().as_secs() < PATIENCE_SECONDS,
                "{words:?} at {bus}: {:?}",
                begin.elapsed()
            );
        }
        let (code, told) = log_in(&launch, "sk-another").await;
        assert!(code == Some(1) && told.contains(reason), "{told}");
        assert_eq!(stored(&project), before, "nothing is changed");
    }
    assert_eq!(model.requests().len(), 0);

    // The mend does what it says.
    let launch = launch(&project, "unix:path=/nowhere", &model).setting("credential-store", json!("file"));
    let (code, told) = log_in(&launch, "sk-planted-in-the-file").await;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(stored(&project)["openai"]["api_key"], "sk-planted-in-the-file");
}

#[tokio::test]
async fn tokens_in_the_keychain_are_renewed_there() {
    let (Some(keyring), Some(oidc)) = (editor_or_skip("keyring"), editor_or_skip("oidc")) else { return };
    let (project, oidc, model) = (Project::new(), Oidc::start(&oidc), ModelServer::start().await);
    let keyring = Keyring::start(&keyring, &project.home(), Door::Unlocked);
    let launch = gateway(&project, &oidc, &model, "authorizeUrl", "/auth")
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address())
        .setting("credential-store", json!("keychain"));
    log_in_at(&launch, &oidc).await;
    let first = stored(&project)["gateway"].clone();
    assert_eq!(first["keychain"], true);
    for _ in 0..2 {
        model.reply(Reply::new().text("here"));
        let (code, told) = run(&launch, &ASK).await;
        assert_eq!(code, Some(0), "{told}");
    }
    // The server's tokens last a minute, so each process renews, and a refresh token that is used twice ends the login.
    assert_eq!((oidc.count("refresh_token").await, oidc.count("refresh_token invalid_grant").await), (2, 0));
    let bearers: Vec<String> = model
        .requests()
        .iter()
        .filter_map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert!(bearers.len() == 2 && bearers[0] != bearers[1], "{bearers:?}");
    let second = stored(&project)["gateway"].clone();
    assert_eq!((&second["keychain"], &second["created_at"]), (&json!(true), &first["created_at"]));
    for entry in [first, second] {
        assert!(entry.get("access_token").is_none() && entry.get("refresh_token").is_none(), "{entry}");
    }
}
