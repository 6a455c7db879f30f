use futures::StreamExt as _;
use kit_protocol::{CostKind, CustomLimit, ErrorKind, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::auth::{AccountLogin, KeyOrigin, LoginKind, LoginStatus, StoredLogin};
use crate::model::ModelEvent;
use crate::usage::{Cost, TokenCounts};
use crate::wire::fixtures::{request, user};

/// Answers every request with the body; returns the address.
async fn serve(content_type: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 64 * 1024];
            let _ = stream.read(&mut head).await;
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    address
}

/// An environment in which no local server answers, and these variables.
async fn environment(variables: &[(&str, &str)]) -> Environment {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let local = ["OLLAMA_BASE_URL", "LMSTUDIO_BASE_URL", "LLAMACPP_BASE_URL", "VLLM_BASE_URL"];
    let local = local.into_iter().map(|name| (name.to_owned(), closed.clone()));
    let given = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    local.chain(given).collect()
}

async fn default_model(settings: &ProviderSettings, variables: &[(&str, &str)]) -> String {
    Models::new(settings, environment(variables).await).default_model().await.to_string()
}

fn id(text: &str) -> ModelId {
    text.parse().unwrap()
}

#[tokio::test]
async fn the_default_is_set_or_has_a_key_or_runs_here_or_is_the_demonstration() {
    let none = ProviderSettings::default();
    let set = ProviderSettings { model: Some(id("openai/x")), ..ProviderSettings::default() };
    let url = ProviderSettings { provider_url: Some("http://x".into()), ..ProviderSettings::default() };
    let keys = [("OPENAI_API_KEY", "k"), ("OPENROUTER_API_KEY", "k")];
    let llama = serve(
        "application/json",
        r#"{"data": [{"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx": 512}}]}"#.into(),
    )
    .await;
    let llama = format!("http://{llama}/v1");
    assert_eq!(default_model(&set, &keys).await, "openai/x");
    assert_eq!(default_model(&url, &keys).await, "custom/custom");
    assert_eq!(default_model(&none, &keys).await, "openai/gpt-6.1-terra");
    assert_eq!(default_model(&none, &[("ANTHROPIC_API_KEY", " ")]).await, "scripted/demo");
    assert_eq!(default_model(&none, &[("LLAMACPP_BASE_URL", &llama)]).await, "llamacpp/tiny");
    assert_eq!(default_model(&none, &[]).await, "scripted/demo");
}

#[tokio::test]
async fn default_models_are_in_the_catalogue() {
    for provider in PROVIDERS {
        if let Some(model) = provider.default_model {
            assert!(Catalogue::default().find(provider.id, model).is_some(), "{}/{model}", provider.id);
        }
    }
}

#[tokio::test]
async fn a_local_server_tells_the_limits_of_its_models() {
    let ollama = serve("application/json", r#"{"models": [{"name": "qwen3:8b"}]}"#.into()).await;
    let vllm = serve(
        "application/json",
        r#"{"data": [{"id": "a/b", "owned_by": "vllm", "max_model_len": 99}]}"#.into(),
    )
    .await;
    let (ollama, vllm) = (format!("http://{ollama}"), format!("http://{vllm}/v1"));
    let environment = environment(&[("OLLAMA_BASE_URL", &ollama), ("VLLM_BASE_URL", &vllm)]).await;
    let models = Models::new(&ProviderSettings::default(), environment);
    let ids = |models: Vec<ModelInfo>| models.into_iter().map(|info| info.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(models.list(Some("vllm"))), [""; 0]);
    assert_eq!(ids(models.list_local().await), ["ollama/qwen3:8b", "vllm/a/b"]);
    assert_eq!(ids(models.list(Some("vllm"))), ["vllm/a/b"]);
    assert_eq!(models.resolve(&id("vllm/a/b")).unwrap().info().context_window, 99);
}

#[tokio::test]
async fn known_unknown_and_impossible_models() {
    let models = Models::new(&ProviderSettings::default(), Environment::default());
    let info = |text: &str| models.resolve(&id(text)).map(|model| model.info().clone());
    let sonnet = info("anthropic/claude-sonnet-latest").unwrap();
    assert_eq!((sonnet.name.as_str(), sonnet.context_window), ("Claude Sonnet 5.5", 1_000_000));
    let unknown = info("openai/gpt-99").unwrap();
    assert_eq!((unknown.context_window, unknown.price), (0, None));
    assert_eq!(info("custom/custom").unwrap_err().kind, ErrorKind::InvalidRequest);
    assert_eq!(info("nobody/x").unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(
        models.suggestions(&id("anthropic/claude-sonet-5-5")).first(),
        Some(&id("anthropic/claude-sonnet-5-5"))
    );
    assert_eq!(models.suggestions(&id("anthropic/claude-sonnet-5-5")), []);
}

#[tokio::test]
async fn lists_providers_custom_models_and_scripts() {
    let settings = ProviderSettings {
        custom_models: [("mine".to_owned(), CustomModel::default())].into(),
        ..ProviderSettings::default()
    };
    let models = Models::new(&settings, Environment::default());
    let ids =
        |provider| models.list(provider).into_iter().map(|info| info.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(Some("custom")), ["custom/mine"]);
    assert_eq!(ids(Some("scripted")), ["scripted/demo"]);
    assert_eq!(ids(Some("nobody")), [""; 0]);
    let all = ids(None);
    let google = ids(Some("google"));
    assert!(google.len() > 5 && google.iter().all(|id| all.contains(id)));
    assert!(
        all.contains(&"scripted/demo".to_owned()) && all.contains(&"anthropic/claude-opus-5-5".to_owned())
    );
}

#[test]
fn a_model_is_resolved_once() {
    let models = Models::new(&ProviderSettings::default(), Environment::default());
    let resolve = || models.resolve(&ModelId::demo()).unwrap();
    assert!(Arc::ptr_eq(&resolve(), &resolve()));
}

async fn finished(settings: &ProviderSettings, model: &str) -> crate::Completion {
    let models = Models::new(settings, Environment::default());
    let model = models.resolve(&id(model)).unwrap();
    let events: Vec<_> = model.stream(request(vec![user("go")]), CancellationToken::new()).collect().await;
    match events.into_iter().last() {
        Some(Ok(ModelEvent::Finished(completion))) => completion,
        other => panic!("{other:?}"),
    }
}

fn chat_answer(model: &str) -> String {
    let usage = r#"{"prompt_tokens": 1000, "completion_tokens": 100}"#;
    format!(
        "data: {{\"model\": \"{model}\", \"choices\": [{{\"finish_reason\": \"stop\"}}], \"usage\": {usage}}}\n\n"
    )
}

#[tokio::test]
async fn a_custom_model_has_its_own_server_limits_and_price() {
    let address = serve("text/event-stream", chat_answer("")).await;
    let json = serde_json::json!({"customModels": {"mine": {
        "name": "Mine", "baseUrl": format!("http://{address}/v1"), "apiKey": "k", "apiModelName": "m-7",
        "limit": {"context": 5000, "output": 700}, "cost": {"input": 2.0, "output": 10.5},
    }}});
    let settings = ProviderSettings::from(&serde_json::from_value::<Settings>(json).unwrap());
    assert_eq!(settings.custom_models["mine"].limit, Some(CustomLimit { context: 5000, output: 700 }));
    let completion = finished(&settings, "custom/mine").await;
    assert_eq!(completion.cost, Cost { micros: Some(2000 + 1050), kind: CostKind::Priced });
    assert_eq!(completion.model, id("custom/m-7"));
}

#[tokio::test]
async fn the_model_that_answered_is_priced_and_unknown_is_not_free() {
    let settings = |address: &str| {
        let changed = kit_protocol::ProviderOverride {
            base_url: Some(format!("http://{address}/v1")),
            api_key_env: Some(vec![]),
            ..Default::default()
        };
        ProviderSettings {
            providers: [("openai".to_owned(), changed)].into(),
            provider_api_key: Some("k".into()),
            model: Some(id("openai/gpt-4o")),
            ..ProviderSettings::default()
        }
    };
    let cheaper = settings(&serve("text/event-stream", chat_answer("gpt-4o-mini")).await);
    let completion = finished(&cheaper, "openai/gpt-4o").await;
    assert_eq!((completion.model, completion.cost.micros), (id("openai/gpt-4o-mini"), Some(150 + 60)));
    let dated = settings(&serve("text/event-stream", chat_answer("gpt-4o-2099-01-01")).await);
    let completion = finished(&dated, "openai/gpt-4o").await;
    assert_eq!(
        (completion.model, completion.cost.micros),
        (id("openai/gpt-4o-2099-01-01"), Some(2500 + 1000))
    );
    let completion = finished(&dated, "openai/gpt-99").await;
    assert_eq!(completion.tokens, TokenCounts { input: 1000, output: 100, ..TokenCounts::default() });
    assert_eq!(completion.cost, Cost::UNKNOWN);
}

#[tokio::test]
async fn a_login_says_where_its_key_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = Credentials::at(folder.path().join("credentials.json"));
    let environment = Environment::from_iter([("OPENAI_API_KEY", "k"), ("GROQ_API_KEY", "k")]);
    let models = Models::new(&ProviderSettings::default(), environment).with_credentials(credentials.clone());
    let origin = |provider: &str| models.login(provider).unwrap().origin;
    assert_eq!(origin("anthropic"), None);
    assert_eq!(origin("openai"), Some(KeyOrigin::Environment("OPENAI_API_KEY".into())));
    let now = "2026-11-21T10:00:00Z".parse().unwrap();
    credentials.set_key_at("openai", &"stored".into(), now).unwrap();
    credentials.set_key_at("mistral", &"stored".into(), now).unwrap();
    let expected = LoginStatus {
        provider: "openai".into(),
        name: "OpenAI".into(),
        origin: Some(KeyOrigin::Stored),
        required: true,
        variables: vec!["OPENAI_API_KEY".into()],
        stored: Some(StoredLogin {
            kind: LoginKind::Key,
            in_keychain: false,
            account: None,
            created: Some(now),
            expires: None,
        }),
        account: Some(AccountLogin {
            name: "a ChatGPT subscription".into(),
            only_way: false,
            refusal: models.login("openai").unwrap().account.unwrap().refusal,
        }),
    };
    assert_eq!(models.login("openai"), Ok(expected));
    let with_key: Vec<String> = models
        .logins()
        .into_iter()
        .filter(|login| login.origin.is_some())
        .map(|login| login.provider)
        .collect();
    assert_eq!(with_key, ["openai", "groq", "mistral"]);
    assert!(models.login("nobody").is_err());
    let error = models.login("antropic").unwrap_err();
    assert_eq!(error.message, "there is no provider `antropic`; did you mean anthropic?");
    let listed = models.list(None);
    assert!(listed.iter().any(|info| info.provider == "mistral"));
    assert!(!listed.iter().any(|info| info.provider == "xai"));
}
