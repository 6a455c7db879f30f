//! Requests to models with the tokens of a login.

use futures::StreamExt as _;
use kit_protocol::{CostKind, ErrorKind};

use super::*;
use crate::model::ModelEvent;
use crate::wire::fixtures::{request, user};
use crate::{Environment, Models};

const ANSWER: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-sonnet-4-5\",\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n\
    data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
    data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n\
    data: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
    data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n\
    data: {\"type\":\"message_stop\"}\n\n";

/// Models whose only provider is a script, with a login that is good for an hour.
struct Home {
    _folder: tempfile::TempDir,
    server: Script,
    models: Models,
}

impl Home {
    async fn new(allowed: bool, variables: &[(&str, &str)], answers: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Script::new(answers).await;
        let (_, mut settings) = service_at("anthropic", &server.address);
        if !allowed {
            settings.borrowed_identity.clear();
        }
        let credentials = Credentials::at(folder.path().join("credentials.json"));
        let now = Timestamp::now();
        let login = Credential::Tokens {
            access: "at-0".into(),
            refresh: "rt-0".into(),
            expires: Some(now + SignedDuration::from_hours(1)),
            account: None,
            created: Some(now),
        };
        credentials.log_in("anthropic", &login).unwrap();
        let base = [("ANTHROPIC_BASE_URL", server.address.as_str())];
        let environment = Environment::from_iter(base.into_iter().chain(variables.iter().copied()));
        let models = Models::new(&settings, environment).with_credentials(credentials);
        Self { _folder: folder, server, models }
    }

    async fn ask(&self) -> Result<ModelEvent, crate::ModelError> {
        let model = self.models.resolve(&"anthropic/claude-sonnet-4-5".parse().unwrap()).unwrap();
        let mut events = model.stream(request(vec![user("go")]), CancellationToken::new());
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        last.unwrap()
    }
}

fn answer() -> String {
    reply_with(200, "content-type: text/event-stream\r\n", ANSWER)
}

#[tokio::test]
async fn a_subscription_pays_for_requests_with_its_token() {
    let home = Home::new(true, &[("ANTHROPIC_API_KEY", "sk-env")], vec![answer()]).await;
    let login = home.models.login("anthropic").unwrap();
    assert_eq!(login.origin, Some(KeyOrigin::Stored));
    let Ok(ModelEvent::Finished(completion)) = home.ask().await else { panic!("not finished") };
    assert_eq!((completion.cost.kind, completion.cost.micros), (CostKind::Subscription, Some(0)));
    let asked = home.server.asked();
    assert_eq!(asked[0].0, "POST /v1/messages bearer at-0");
    let body: Value = serde_json::from_str(&asked[0].1).unwrap();
    let texts: Vec<&Value> = body["system"].as_array().unwrap().iter().map(|block| &block["text"]).collect();
    assert_eq!(texts, ["You are Claude Code, Anthropic's official CLI for Claude.", "Be brief."]);
}

#[tokio::test]
async fn a_token_that_the_provider_refuses_is_renewed_and_the_request_repeated_once() {
    let refused =
        || reply(401, json!({"type": "error", "error": {"type": "authentication_error", "message": "No."}}));
    let home = Home::new(true, &[], vec![refused(), tokens_answer(), answer()]).await;
    assert!(matches!(home.ask().await, Ok(ModelEvent::Finished(_))));
    let asked: Vec<String> = home.server.asked().into_iter().map(|(line, _)| line).collect();
    assert_eq!(asked, ["POST /v1/messages bearer at-0", "POST /token", "POST /v1/messages bearer at-1"]);
    let home = Home::new(true, &[], vec![refused(), tokens_answer(), refused()]).await;
    let error = home.ask().await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (
            ErrorKind::Auth,
            "Anthropic refused the key from the login at anthropic: No; log in again with `kit-ls auth login anthropic`"
        )
    );
    assert_eq!(home.server.asked().len(), 3);
}

#[tokio::test]
async fn a_login_that_may_not_be_used_is_left_alone() {
    let home = Home::new(false, &[], Vec::new()).await;
    let error = home.ask().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(error.message.starts_with("a login with a Claude subscription is refused: "), "{error}");
    assert!(error.message.ends_with("add anthropic to the setting borrowed-identity"), "{error}");
    assert_eq!(home.server.asked(), []);
    let login = home.models.login("anthropic").unwrap();
    assert_eq!((login.origin, login.stored.map(|stored| stored.kind)), (None, Some(LoginKind::Account)));
    assert!(!home.models.list(None).is_empty());
    // A key of the environment goes on working, as a key.
    let home = Home::new(false, &[("ANTHROPIC_API_KEY", "sk-env")], vec![answer()]).await;
    let Ok(ModelEvent::Finished(completion)) = home.ask().await else { panic!("not finished") };
    assert_eq!(completion.cost.kind, CostKind::Priced);
    assert_eq!(home.server.asked()[0].0, "POST /v1/messages");
}
