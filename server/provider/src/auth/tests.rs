//! Logins against a server whose every answer is scripted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use kit_protocol::{LoginSettings, ProviderOverride};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::device::Pace;
use super::request::Endpoints;
use super::*;
use crate::settings::ProviderSettings;

/// A server that answers from a script and notes what it was asked.
pub(super) struct Script {
    address: String,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    answers: Arc<Mutex<VecDeque<String>>>,
    task: JoinHandle<()>,
}

pub(super) fn http() -> Http {
    Http::new(crate::settings::ConnectionSettings::default(), &crate::Environment::default())
}

/// An answer with this status and body.
pub(super) fn reply(status: u16, body: impl std::fmt::Display) -> String {
    reply_with(status, "", body)
}

fn reply_with(status: u16, headers: &str, body: impl std::fmt::Display) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// No answer at all: the connection is closed.
fn hang_up() -> String {
    String::new()
}

impl Script {
    pub(super) async fn new(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<String>>()));
        let (notes, script) = (asked.clone(), answers.clone());
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                notes.lock().unwrap().push(request);
                let answer = script.lock().unwrap().pop_front();
                let answer = answer.unwrap_or_else(|| reply(500, "nothing is left of the script"));
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap_or_default();
            }
        });
        Self { address, asked, answers, task }
    }

    /// The first line and the body of each request.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        assert_eq!(self.answers.lock().unwrap().len(), 0, "not all was asked");
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_request(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let line = |name: &str| {
            head.lines().find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned))
        };
        let expected = line("content-length: ").map_or(0, |length| length.parse().unwrap());
        if body.len() >= expected {
            let first = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
            let shown = line("authorization: ").map_or(first.clone(), |token| format!("{first} {token}"));
            return (shown, body.to_owned());
        }
    }
}

/// Time that passes only when a login pauses.
struct TestPace {
    start: Timestamp,
    pauses: Mutex<Vec<Duration>>,
}

impl TestPace {
    fn new() -> Self {
        Self { start: Timestamp::from_second(1_795_255_200).unwrap(), pauses: Mutex::default() }
    }

    fn seconds(&self) -> Vec<u64> {
        self.pauses.lock().unwrap().iter().map(Duration::as_secs).collect()
    }
}

impl Pace for TestPace {
    fn now(&self) -> Timestamp {
        let passed: Duration = self.pauses.lock().unwrap().iter().sum();
        self.start + passed
    }

    fn pause(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.pauses.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

/// The service of a provider with all its addresses at one server.
pub(super) fn service_at(provider: &str, address: &str) -> (Service, ProviderSettings) {
    let at = |path: &str| Some(format!("{address}/{path}"));
    let login = LoginSettings {
        authorize_url: at("authorize"),
        token_url: at("token"),
        device_url: (provider == "copilot").then(|| at("device")).flatten(),
        exchange_url: (provider == "copilot").then(|| at("exchange")).flatten(),
        redirect_port: Some(0),
        ..LoginSettings::default()
    };
    let changed = ProviderOverride { login: Some(login), ..ProviderOverride::default() };
    let settings = ProviderSettings {
        providers: [(provider.to_owned(), changed)].into(),
        borrowed_identity: vec![provider.to_owned()],
        ..ProviderSettings::default()
    };
    (Service::of(provider, &settings).unwrap(), settings)
}

fn code_answer(interval: Value) -> String {
    reply(
        200,
        json!({"device_code": "device-planted", "user_code": "ABCD-1234", "expires_in": 900, "interval": interval,
            "verification_uri": "https://github.test/login/device"}),
    )
}

/// Runs the device flow against a script and returns its outcome and its pauses in seconds.
async fn device(answers: Vec<String>) -> (Result<String, String>, Vec<u64>) {
    let server = Script::new(answers).await;
    let (service, _) = service_at("copilot", &server.address);
    let (http, pace, cancel) = (self::http(), TestPace::new(), CancellationToken::new());
    let endpoints = Endpoints { http: &http, service: &service };
    let outcome = async {
        let code = endpoints.device_code(pace.now()).await?;
        endpoints.wait_for_device(&code, &pace, &cancel).await
    };
    let outcome = outcome.await.map(|made| match made {
        Credential::Tokens { access, .. } => access.expose_secret().to_owned(),
        Credential::ApiKey { .. } => "a key".to_owned(),
    });
    server.asked();
    (outcome.map_err(|error| error.to_string()), pace.seconds())
}

fn error(code: &str) -> String {
    reply(200, json!({"error": code, "error_description": "Said by the server."}))
}

fn token() -> String {
    reply(200, json!({"access_token": "gho", "token_type": "bearer", "scope": "read:user"}))
}

#[tokio::test]
async fn a_device_login_waits_before_each_question_and_slows_down_when_told() {
    let (outcome, pauses) = device(vec![
        code_answer(json!(5)),
        error("authorization_pending"),
        error("slow_down"),
        error("authorization_pending"),
        reply(400, json!({"error": "slow_down", "interval": 30})),
        reply(200, json!({"error": "slow_down", "interval": 1})),
        token(),
    ])
    .await;
    assert_eq!((outcome, pauses), (Ok("gho".into()), vec![5, 5, 10, 10, 30, 35]));
}

#[tokio::test]
async fn an_interval_that_is_none_is_five_seconds() {
    for interval in [json!(0), json!(-3), json!(null), json!("soon")] {
        let (outcome, pauses) = device(vec![code_answer(interval.clone()), token()]).await;
        assert_eq!((outcome, pauses), (Ok("gho".into()), vec![5]), "{interval}");
    }
    assert_eq!(device(vec![code_answer(json!("7")), token()]).await.1, [7]);
}

#[tokio::test]
async fn a_failure_that_passes_is_no_failure_of_the_login() {
    let (outcome, pauses) = device(vec![
        code_answer(json!(2)),
        hang_up(),
        reply(503, "<html>busy</html>"),
        reply(200, "{\"access_"),
        error("authorization_pending"),
        token(),
    ])
    .await;
    assert_eq!((outcome, pauses), (Ok("gho".into()), vec![2, 4, 8, 16, 2]));
}

#[tokio::test]
async fn each_end_of_a_device_login_has_its_own_sentence() {
    let failed = async |answer: String| device(vec![code_answer(json!(5)), answer]).await.0.unwrap_err();
    assert_eq!(
        failed(error("expired_token")).await,
        "the code of github-copilot expired before it was entered; start the login again"
    );
    assert_eq!(
        failed(reply(400, json!({"error": "access_denied"}))).await,
        "the login at github-copilot was denied; start it again and allow the access there"
    );
    assert_eq!(
        failed(error("incorrect_device_code")).await,
        "github-copilot refused or garbled the login (incorrect_device_code: Said by the server); try again later, and \
         check its addresses in the settings"
    );
    assert_eq!(
        failed(reply(418, json!({}))).await,
        "github-copilot refused or garbled the login (status 418); try again later, and check its addresses in the settings"
    );
}

#[tokio::test]
async fn a_code_that_nobody_enters_ends_with_its_time() {
    let short = reply(
        200,
        json!({"device_code": "d", "user_code": "u", "verification_uri": "https://x", "expires_in": "12", "interval": 5}),
    );
    let pending = || error("authorization_pending");
    let (outcome, pauses) = device(vec![short.clone(), pending(), pending(), pending()]).await;
    assert_eq!(
        (outcome.unwrap_err().as_str(), pauses),
        ("timed out waiting for the login at github-copilot; start it again", vec![5, 5, 2])
    );
    let (outcome, _) = device(vec![short, pending(), pending(), reply(502, "")]).await;
    assert_eq!(
        outcome.unwrap_err(),
        "the login at github-copilot cannot be reached (status 502 without JSON); check the network and try again"
    );
}

#[tokio::test]
async fn an_answer_without_a_code_is_no_code() {
    let failed = async |answer: String| device(vec![answer]).await.0.unwrap_err();
    let garbled = "github-copilot refused or garbled the login";
    assert!(failed(reply(200, json!({"user_code": "u"}))).await.starts_with(garbled));
    assert!(failed(reply(200, "no json")).await.starts_with(garbled));
    let page = json!({"device_code": "d", "user_code": "u", "verification_uri": "javascript:alert(1)"});
    assert!(failed(reply(200, page)).await.contains("is no web page"));
    assert!(
        failed(reply(404, json!({"error": "device_flow_disabled"}))).await.contains("device_flow_disabled")
    );
    assert!(failed(reply(503, "")).await.contains("cannot be reached"));
}

#[tokio::test]
async fn a_device_login_can_be_cancelled_while_it_waits() {
    let server = Script::new([code_answer(json!(3600))]).await;
    let (service, _) = service_at("copilot", &server.address);
    let (http, cancel) = (self::http(), CancellationToken::new());
    let ui = Ui { cancel: Some(cancel.clone()), ..Ui::default() };
    let outcome = login::log_in(&http, &service, &ui, &cancel).await;
    assert_eq!(
        outcome.unwrap_err().to_string(),
        "the login at github-copilot was cancelled; nothing was changed"
    );
    assert_eq!(server.asked().len(), 1);
}

/// A user who does what a test says.
#[derive(Default)]
struct Ui {
    steps: Mutex<Vec<LoginStep>>,
    pastes: Mutex<VecDeque<String>>,
    /// What the browser comes back with; `STATE` stands for the state of the page.
    comes_back: Option<&'static str>,
    cancel: Option<CancellationToken>,
}

impl LoginUi for Ui {
    fn show(&self, step: LoginStep) {
        if let (LoginStep::Browse { url, .. }, Some(query)) = (&step, self.comes_back) {
            let url: reqwest::Url = url.parse().unwrap();
            let value = |name: &str| url.query_pairs().find(|(of, _)| of == name).unwrap().1.into_owned();
            let back = format!("{}?{}", value("redirect_uri"), query.replace("STATE", &value("state")));
            tokio::spawn(
                async move { http().client(&back.parse().unwrap()).unwrap().get(back).send().await },
            );
        }
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
        self.steps.lock().unwrap().push(step);
    }

    fn paste(&self, page: &str) -> BoxFuture<'_, Option<SecretString>> {
        let url: reqwest::Url = page.parse().unwrap();
        let state = url.query_pairs().find(|(of, _)| of == "state").unwrap().1.into_owned();
        let pasted = self.pastes.lock().unwrap().pop_front();
        Box::pin(std::future::ready(pasted.map(|text| SecretString::from(text.replace("STATE", &state)))))
    }
}

fn tokens_answer() -> String {
    reply(200, json!({"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 3600}))
}

async fn browse(
    provider: &str,
    ui: &Ui,
    answers: Vec<String>,
) -> (Result<Credential, String>, Vec<(String, String)>) {
    let server = Script::new(answers).await;
    let (service, _) = service_at(provider, &server.address);
    let outcome = login::log_in(&http(), &service, ui, &CancellationToken::new()).await;
    (outcome.map_err(|error| error.to_string()), server.asked())
}

#[tokio::test]
async fn the_browser_brings_the_code_back() {
    let ui = Ui { comes_back: Some("code=c-1&state=STATE"), ..Ui::default() };
    let (outcome, asked) = browse("anthropic", &ui, vec![tokens_answer()]).await;
    let Ok(Credential::Tokens { access, refresh, expires, account, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((access.expose_secret(), refresh.expose_secret(), account), ("at-1", "rt-1", None));
    assert!(expires.is_some());
    let [(line, body)] = asked.as_slice() else { panic!("{asked:?}") };
    let body: Value = serde_json::from_str(body).unwrap();
    let steps = ui.steps.lock().unwrap();
    let [LoginStep::Browse { url, comes_back: true, .. }, LoginStep::Finishing] = steps.as_slice() else {
        panic!("{steps:?}")
    };
    let url: reqwest::Url = url.parse().unwrap();
    let value = |name: &str| url.query_pairs().find(|(of, _)| of == name).unwrap().1.into_owned();
    let sent = ["grant_type", "code", "state", "redirect_uri", "client_id"].map(|field| body[field].clone());
    let expected = [
        "authorization_code".into(),
        "c-1".into(),
        value("state"),
        value("redirect_uri"),
        value("client_id"),
    ];
    assert_eq!((line.as_str(), sent), ("POST /token", expected.map(Value::String)));
    // The verifier goes to the token endpoint alone and is not the state.
    let verifier = body["code_verifier"].as_str().unwrap();
    assert!(!url.as_str().contains(verifier) && verifier.len() == 43);
}

#[tokio::test]
async fn what_is_pasted_counts_as_soon_as_it_belongs_to_this_login() {
    let pastes = ["nothing=here", "c-0#another", "c-1#STATE"].map(str::to_owned);
    let ui = Ui { pastes: Mutex::new(pastes.into()), ..Ui::default() };
    let (outcome, asked) = browse("anthropic", &ui, vec![tokens_answer()]).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(asked[0].1.contains("\"c-1\""), "{asked:?}");
    let retries: Vec<String> = ui
        .steps
        .lock()
        .unwrap()
        .iter()
        .filter_map(|step| match step {
            LoginStep::Retry { why } => Some(why.clone()),
            LoginStep::Browse { .. } | LoginStep::Enter { .. } | LoginStep::Finishing => None,
        })
        .collect();
    let expected = [
        "no code is in what was pasted; paste the whole address of the page or the code that it shows",
        "what was pasted belongs to another login (its state differs); start again and use the new address",
    ];
    assert_eq!(retries, expected);
}

#[tokio::test]
async fn a_refusal_in_the_browser_is_a_denied_login() {
    let ui = Ui { comes_back: Some("error=access_denied&state=STATE"), ..Ui::default() };
    let (outcome, asked) = browse("anthropic", &ui, Vec::new()).await;
    assert_eq!(
        outcome.unwrap_err(),
        "the login at anthropic was denied; start it again and allow the access there"
    );
    assert_eq!(asked, []);
}

#[tokio::test]
async fn a_chatgpt_login_has_an_account_or_fails() {
    use base64::Engine as _;
    let claims = json!({"https://api.openai.com/auth": {"chatgpt_account_id": "acc-7"}}).to_string();
    let jwt = format!("e30.{}.s", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims));
    let ui = || Ui { pastes: Mutex::new(["bare".to_owned()].into()), ..Ui::default() };
    let answer = json!({"access_token": "opaque", "id_token": jwt, "refresh_token": "r", "expires_in": "60"});
    let (outcome, asked) = browse("openai", &ui(), vec![reply(200, answer)]).await;
    let Ok(Credential::Tokens { account, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(account.as_deref(), Some("acc-7"));
    assert!(asked[0].1.starts_with("grant_type=authorization_code&client_id=app_"), "{asked:?}");
    assert!(!asked[0].1.contains("state="), "{asked:?}");
    let (outcome, _) = browse("openai", &ui(), vec![tokens_answer()]).await;
    assert!(outcome.unwrap_err().contains("its token names no account"));
}

#[tokio::test]
async fn a_port_that_is_taken_leaves_pasting() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let run = async |ui: &Ui, answers: Vec<String>| {
        let server = Script::new(answers).await;
        let (mut service, _) = service_at("anthropic", &server.address);
        let service::Flow::Browser { redirect, .. } = &mut service.flow else { panic!("no browser") };
        redirect.port = port;
        let outcome = login::log_in(&http(), &service, ui, &CancellationToken::new()).await;
        (outcome.map(|_| ()).map_err(|error| error.to_string()), server.asked())
    };
    let ui = Ui { pastes: Mutex::new(["c#STATE".to_owned()].into()), ..Ui::default() };
    let (outcome, asked) = run(&ui, vec![tokens_answer()]).await;
    assert_eq!(outcome, Ok(()));
    assert!(asked[0].1.contains("https://console.anthropic.com/oauth/code/callback"), "{asked:?}");
    assert!(matches!(ui.steps.lock().unwrap().first(), Some(LoginStep::Browse { comes_back: false, .. })));
    let (outcome, _) = run(&Ui::default(), Vec::new()).await;
    assert_eq!(outcome.unwrap_err(), "the login at anthropic was cancelled; nothing was changed");
}

#[tokio::test]
async fn a_copilot_token_ends_when_its_provider_says_in_whatever_form() {
    let now = Timestamp::from_second(1_795_255_200).unwrap();
    let ends = async |answer: String| {
        let server = Script::new([answer]).await;
        let (service, _) = service_at("copilot", &server.address);
        let endpoints = Endpoints { http: &http(), service: &service };
        let made = endpoints.exchange(&"gho-1".into(), now).await.unwrap();
        assert_eq!(server.asked(), [("GET /exchange token gho-1".to_owned(), String::new())]);
        let Credential::Tokens { access, refresh, expires, .. } = made else { panic!("a key") };
        assert_eq!((access.expose_secret(), refresh.expose_secret()), ("tid=1", "gho-1"));
        expires.unwrap().duration_since(now).as_secs()
    };
    let with = |expires: Value| reply(200, json!({"token": "tid=1", "expires_at": expires}));
    assert_eq!(ends(with(json!(1_795_257_000))).await, 1800);
    assert_eq!(ends(with(json!("1795257000"))).await, 1800);
    assert_eq!(ends(with(json!("2026-11-21T10:30:00Z"))).await, 1800);
    assert_eq!(ends(with(json!("tomorrow"))).await, 1200);
    assert_eq!(ends(reply(200, json!({"token": "tid=1"}))).await, 1200);
    // The provider's clock is an hour ahead, so its token ends an hour earlier by ours.
    let ahead = "date: Sat, 21 Nov 2026 11:00:00 GMT\r\n";
    let body = json!({"token": "tid=1", "expires_at": 1_795_260_600});
    assert_eq!(ends(reply_with(200, ahead, body)).await, 1800);
}

#[tokio::test]
async fn an_exchange_that_fails_says_whether_to_log_in_again() {
    let failed = async |answer: String| {
        let server = Script::new([answer]).await;
        let (service, _) = service_at("copilot", &server.address);
        let endpoints = Endpoints { http: &http(), service: &service };
        endpoints.exchange(&"gho-1".into(), Timestamp::now()).await.unwrap_err().to_string()
    };
    assert_eq!(
        failed(reply(401, json!({"message": "Bad credentials"}))).await,
        "the login at github-copilot has ended (status 401: Bad credentials); log in again with `kit-ls auth login \
         github-copilot`"
    );
    assert!(
        failed(reply(403, json!({"message": "No access"})))
            .await
            .contains("check that the account has a plan")
    );
    assert!(failed(reply(500, "")).await.contains("cannot be reached"));
    assert!(failed(reply(200, json!({"token": ""}))).await.contains("refused or garbled"));
}

mod renewal;
mod requests;
