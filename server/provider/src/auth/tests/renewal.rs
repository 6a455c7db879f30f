//! Tokens that are renewed: when, how often, and what becomes of failures.

use super::*;

struct Home {
    folder: tempfile::TempDir,
    server: Script,
    service: Service,
}

impl Home {
    /// A login at Anthropic whose token ends in so many seconds, and a server with these answers.
    async fn new(ends_in: i64, answers: impl IntoIterator<Item = String>) -> Self {
        let server = Script::new(answers).await;
        let (service, _) = service_at("anthropic", &server.address);
        let home = Self { folder: tempfile::tempdir().unwrap(), server, service };
        let now = Timestamp::now();
        let login = Credential::Tokens {
            access: "at-0".into(),
            refresh: "rt-0".into(),
            expires: Some(now + SignedDuration::from_secs(ends_in)),
            account: Some("acc".into()),
            created: Some(now),
        };
        home.credentials().log_in("anthropic", &login).unwrap();
        home
    }

    fn credentials(&self) -> Credentials {
        Credentials::at(self.folder.path().join("credentials.json"))
    }

    /// What one process has.
    fn tokens(&self) -> Arc<Tokens> {
        Arc::new(Tokens::new(self.credentials(), Arc::new(http())))
    }

    async fn access(&self, tokens: &Arc<Tokens>) -> Result<String, String> {
        let access = tokens.access(&self.service).await.map_err(|error| error.to_string())?;
        Ok(access.unwrap().token.expose_secret().to_owned())
    }

    fn stored(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.credentials().path()).unwrap()).unwrap()
    }
}

fn renewed(number: u32) -> String {
    let body = json!({"access_token": format!("at-{number}"), "refresh_token": format!("rt-{number}"), "expires_in": 3600});
    reply(200, body)
}

#[tokio::test]
async fn a_token_is_used_until_five_minutes_before_its_end() {
    let home = Home::new(600, []).await;
    assert_eq!(home.access(&home.tokens()).await.as_deref(), Ok("at-0"));
    assert_eq!(home.server.asked(), []);
    let home = Home::new(290, [renewed(1)]).await;
    let tokens = home.tokens();
    assert_eq!(home.access(&tokens).await.as_deref(), Ok("at-1"));
    assert_eq!(home.access(&tokens).await.as_deref(), Ok("at-1"));
    let asked = home.server.asked();
    let body: Value = serde_json::from_str(&asked[0].1).unwrap();
    assert_eq!(body["refresh_token"], "rt-0");
    let stored = home.stored();
    let fields =
        ["type", "access_token", "refresh_token", "account_id"].map(|field| &stored["anthropic"][field]);
    assert_eq!(fields, ["oauth", "at-1", "rt-1", "acc"]);
}

#[tokio::test]
async fn whoever_asks_at_the_same_time_shares_one_renewal() {
    let home = Home::new(-10, [renewed(1)]).await;
    // Two sets of tokens see each other through the file alone, as two processes do.
    let [one, other] = [home.tokens(), home.tokens()];
    let asking = (0..20).map(|number| home.access(if number % 2 == 0 { &one } else { &other }));
    let answers = futures::future::join_all(asking).await;
    assert_eq!(answers, vec![Ok("at-1".to_owned()); 20]);
    assert_eq!(home.server.asked().len(), 1);
}

#[tokio::test]
async fn a_renewal_goes_on_when_nobody_waits_for_it_any_more() {
    let home = Home::new(-10, [renewed(1)]).await;
    let tokens = home.tokens();
    {
        let mut asking = Box::pin(home.access(&tokens));
        // Until the renewal has begun; then the one who asked goes away.
        while home.server.asked.lock().unwrap().is_empty() {
            tokio::select! {
                biased;
                _ = &mut asking => panic!("the answer came before the request"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    assert_eq!(home.access(&tokens).await.as_deref(), Ok("at-1"));
    assert_eq!(
        (home.server.asked().len(), &home.stored()["anthropic"]["refresh_token"]),
        (1, &json!("rt-1"))
    );
}

#[tokio::test]
async fn a_token_that_still_lasts_bridges_a_failure_that_passes() {
    let home = Home::new(200, [reply(503, ""), renewed(1)]).await;
    let tokens = home.tokens();
    assert_eq!(home.access(&tokens).await.as_deref(), Ok("at-0"));
    assert_eq!(home.access(&tokens).await.as_deref(), Ok("at-1"));
    let home = Home::new(-1, [reply(503, "")]).await;
    let failed = home.access(&home.tokens()).await.unwrap_err();
    assert_eq!(
        failed,
        "the login at anthropic cannot be reached (status 503 without JSON); check the network and try again"
    );
}

#[tokio::test]
async fn a_login_that_has_ended_says_so_and_stays_stored() {
    let gone = reply(400, json!({"error": "invalid_grant", "error_description": "Refresh token rotated."}));
    let home = Home::new(-1, [gone]).await;
    let failed = home.access(&home.tokens()).await.unwrap_err();
    assert_eq!(
        failed,
        "the login at anthropic has ended (invalid_grant: Refresh token rotated); log in again with `kit-ls auth login \
         anthropic`"
    );
    assert_eq!(home.stored()["anthropic"]["refresh_token"], "rt-0");
}

#[tokio::test]
async fn a_token_that_is_refused_early_is_replaced_once() {
    let home = Home::new(3600, [renewed(1)]).await;
    let tokens = home.tokens();
    let another = async |refused: &str| {
        let access = tokens.another(&home.service, refused.into()).await.unwrap();
        access.token.expose_secret().to_owned()
    };
    assert_eq!(another("at-0").await, "at-1");
    // Another request with the old token was refused as well: the new one is there already.
    assert_eq!(another("at-0").await, "at-1");
    assert_eq!(home.server.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_without_a_new_refresh_token_keeps_the_old_one() {
    let home = Home::new(-1, [reply(200, json!({"access_token": "at-1"}))]).await;
    assert_eq!(home.access(&home.tokens()).await.as_deref(), Ok("at-1"));
    let stored = home.stored();
    assert_eq!(
        (&stored["anthropic"]["refresh_token"], &stored["anthropic"]["expires_at"]),
        (&json!("rt-0"), &json!(0))
    );
}
