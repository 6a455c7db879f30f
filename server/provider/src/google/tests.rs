use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that answers each request with the next of these bodies, and tells what it was asked.
async fn serve(answers: Vec<(u16, Value)>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (status, answer) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while !is_whole(&text) {
                let mut buffer = [0; 4096];
                let length = stream.read(&mut buffer).await.unwrap();
                text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
            }
            requests.push(text);
            let body = answer.to_string();
            let head =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
        requests
    });
    (address, asked)
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn credentials(file: &Value, variables: &[(&str, &str)]) -> (tempfile::TempDir, DefaultCredentials) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("application_default_credentials.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let folder_name = folder.path().display().to_string();
    let variables = variables.iter().copied().chain([("CLOUDSDK_CONFIG", folder_name.as_str())]);
    let found = DefaultCredentials::find(&variables.collect(), Arc::default());
    (folder, found)
}

fn user(token_uri: &str) -> Value {
    json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r&t",
        "token_uri": token_uri, "quota_project_id": "mine"})
}

async fn token(credentials: &DefaultCredentials) -> Result<String, String> {
    let token = credentials.token().await;
    token.map(|token| token.secret.expose_secret().to_owned()).map_err(|error| error.message)
}

#[tokio::test]
async fn a_login_is_exchanged_once_until_its_token_is_refused_or_ends() {
    let grant = |token: &str, lasts: i64| (200, json!({"access_token": token, "expires_in": lasts}));
    let (address, asked) = serve(vec![grant("one", 3600), grant("two", 60), grant("three", 3600)]).await;
    let (_folder, credentials) = credentials(&user(&format!("http://{address}/token")), &[]);
    assert!(credentials.is_available());
    assert_eq!(credentials.project().as_deref(), Some("mine"));
    assert_eq!((token(&credentials).await, token(&credentials).await), (Ok("one".into()), Ok("one".into())));
    credentials.refused(&Token::new("another".into()));
    assert_eq!(token(&credentials).await, Ok("one".into()));
    credentials.refused(&Token::new("one".into()));
    // The second one ends within the next minutes, so it serves this request and not the next.
    assert_eq!(
        (token(&credentials).await, token(&credentials).await),
        (Ok("two".into()), Ok("three".into()))
    );
    let requests = asked.await.unwrap();
    assert!(
        requests[0].ends_with("grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r%26t")
    );
}

#[tokio::test]
async fn a_service_account_signs_who_it_is() {
    let (address, asked) = serve(vec![(200, json!({"access_token": "t", "expires_in": 3600}))]).await;
    let uri = format!("http://{address}/token");
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let encoded = STANDARD.encode(der.as_ref());
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n{}\n-----END PRIVATE KEY-----\n",
        &encoded[..64],
        &encoded[64..]
    );
    let account = json!({"type": "service_account", "client_email": "robot@p.example", "private_key_id": "k1",
        "private_key": pem, "token_uri": uri, "project_id": "p"});
    let (_folder, credentials) = credentials(&account, &[]);
    assert_eq!(credentials.project().as_deref(), Some("p"));
    assert_eq!(token(&credentials).await, Ok("t".into()));
    let request = asked.await.unwrap().remove(0);
    let (_, assertion) = request.rsplit_once("assertion=").unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let parts: Vec<Value> =
        signed.split('.').map(|part| serde_json::from_slice(&read(part)).unwrap()).collect();
    assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    let claims = &parts[1];
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("robot@p.example"), &json!(uri)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(signed.as_bytes(), &read(signature)).unwrap();
}

#[tokio::test]
async fn a_machine_of_google_asks_the_server_beside_it() {
    let (address, asked) = serve(vec![(200, json!({"access_token": "m", "expires_in": 3600}))]).await;
    let environment = Environment::from_iter([("GCE_METADATA_HOST", address.as_str())]);
    let credentials = DefaultCredentials::find(&environment, Arc::default());
    assert_eq!(token(&credentials).await, Ok("m".into()));
    let request = asked.await.unwrap().remove(0).to_lowercase();
    assert!(request.starts_with("get /computemetadata/v1/instance/service-accounts/default/token "));
    assert!(request.contains("metadata-flavor: google"), "{request}");
}

#[tokio::test]
async fn what_cannot_work_is_told_without_a_secret() {
    let (address, _asked) =
        serve(vec![(400, json!({"error": "invalid_grant", "error_description": "Token has been revoked."}))])
            .await;
    let (_folder, revoked) = credentials(&user(&format!("http://{address}/token")), &[]);
    assert_eq!(
        token(&revoked).await.unwrap_err(),
        "Google's login server answered with status 400: Token has been revoked; log in again"
    );
    let (folder, broken) = credentials(&json!({"type": "authorized_user", "client_secret": "planted"}), &[]);
    let said = token(&broken).await.unwrap_err();
    assert!(said.starts_with(&format!("the Google credentials {}", folder.path().display())), "{said}");
    assert!(!said.contains("planted"), "{said}");
    let none = DefaultCredentials::find(&Environment::default(), Arc::default());
    if !none.is_available() {
        assert!(token(&none).await.unwrap_err().starts_with("no Google credentials: run `gcloud"));
    }
}
