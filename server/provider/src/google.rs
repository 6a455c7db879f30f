//! Google's application default credentials: a service account, the login of the `gcloud` command, or the machine itself.
//!
//! A service account signs a short statement with its key and exchanges it for a token, a login exchanges its refresh
//! token, and a machine of Google asks the server beside it. A token is kept until five minutes before its end, and one
//! caller at a time gets the next.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use kit_protocol::{ErrorKind, Secret};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::environment::Environment;
use crate::error::ModelError;
use crate::http::{Http, answer_json};
use crate::token::{Token, TokenSource};

const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long before its end a token is replaced.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// How long a token endpoint may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long the server beside a machine of Google may take.
const MACHINE_LIMIT: Duration = Duration::from_secs(3);
/// What the file that names the maker of a machine holds on one of Google.
const MACHINE: (&str, &str) = ("/sys/class/dmi/id/product_name", "Google");

/// The credentials of the user or the machine. `Debug` shows where they are.
#[derive(Clone)]
pub(crate) struct DefaultCredentials {
    file: Option<PathBuf>,
    machine: Option<String>,
    http: Arc<Http>,
    cached: Arc<Mutex<Option<(SecretString, Timestamp)>>>,
}

/// What a file of credentials holds.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum File {
    ServiceAccount {
        client_email: String,
        private_key: Secret,
        private_key_id: Option<String>,
        token_uri: Option<String>,
        project_id: Option<String>,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: Secret,
        refresh_token: Secret,
        token_uri: Option<String>,
        quota_project_id: Option<String>,
    },
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    expires_in: Option<i64>,
}

impl DefaultCredentials {
    /// The credentials that the environment leads to. Reads nothing yet.
    pub(crate) fn find(environment: &Environment, http: Arc<Http>) -> Self {
        let set = environment.get("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
        let folder = environment.get("CLOUDSDK_CONFIG").map(PathBuf::from);
        let folder = folder.or_else(|| Some(Path::new(environment.get("APPDATA")?).join("gcloud")));
        let folder = folder.or_else(|| Some(Path::new(environment.get("HOME")?).join(".config/gcloud")));
        let usual = folder.map(|folder| folder.join("application_default_credentials.json"));
        let named = environment.get("GCE_METADATA_HOST").map(str::to_owned);
        let in_cloud = environment.get("K_SERVICE").is_some()
            || std::fs::read_to_string(MACHINE.0).is_ok_and(|maker| maker.contains(MACHINE.1));
        Self {
            file: set.or_else(|| usual.filter(|path| path.is_file())),
            machine: named.or_else(|| in_cloud.then(|| "metadata.google.internal".to_owned())),
            http,
            cached: Arc::default(),
        }
    }

    fn read(&self) -> Result<Option<File>, ModelError> {
        let Some(path) = &self.file else { return Ok(None) };
        let broken = |why: String| {
            let message = format!(
                "the Google credentials {} cannot be used: {why}; run `gcloud auth application-default login`, or correct GOOGLE_APPLICATION_CREDENTIALS",
                path.display()
            );
            ModelError::new(ErrorKind::Auth, message)
        };
        let text = std::fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
        // What serde says about a wrong value quotes it, and here it may be a key.
        let file = serde_json::from_str(&text).map_err(|error| {
            broken(format!("line {} is not that of a service account or of a login of gcloud", error.line()))
        })?;
        Ok(Some(file))
    }

    async fn request(&self) -> Result<Granted, ModelError> {
        match (self.read()?, &self.machine) {
            (Some(File::ServiceAccount { client_email, private_key, private_key_id, token_uri, .. }), _) => {
                let uri = token_uri.as_deref().unwrap_or(TOKEN_URL);
                let statement =
                    statement(&client_email, private_key_id.as_deref(), uri, &private_key, Timestamp::now());
                let statement = statement.map_err(|why| {
                    let message =
                        format!("the key of the service account {client_email} {why}; get a new one");
                    ModelError::new(ErrorKind::Auth, message)
                })?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                self.exchange(uri, &[("grant_type", grant), ("assertion", &statement)]).await
            }
            (Some(File::AuthorizedUser { client_id, client_secret, refresh_token, token_uri, .. }), _) => {
                let uri = token_uri.as_deref().unwrap_or(TOKEN_URL);
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id.as_str()),
                    ("client_secret", client_secret.expose()),
                    ("refresh_token", refresh_token.expose()),
                ];
                self.exchange(uri, &fields).await
            }
            (None, Some(host)) => {
                let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
                let url = address(&url)?;
                let request = self.http.client(&url)?.get(url.clone()).header("Metadata-Flavor", "Google");
                granted(answer_json("the metadata server of Google", &url, request, MACHINE_LIMIT).await?)
            }
            (None, None) => Err(ModelError::new(
                ErrorKind::Auth,
                "no Google credentials: run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
            )),
        }
    }

    async fn exchange(&self, uri: &str, fields: &[(&str, &str)]) -> Result<Granted, ModelError> {
        let url = address(uri)?;
        let mut form = url.clone();
        form.query_pairs_mut().clear().extend_pairs(fields);
        let body = form.query().unwrap_or_default().to_owned();
        let request = self.http.client(&url)?.post(url.clone());
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        granted(answer_json("Google's login server", &url, request, LIMIT).await?)
    }
}

fn address(text: &str) -> Result<Url, ModelError> {
    text.parse().map_err(|_| {
        let message = "the Google credentials name a token address that is no URL; get new ones";
        ModelError::new(ErrorKind::Auth, message)
    })
}

fn granted(answer: Value) -> Result<Granted, ModelError> {
    serde_json::from_value(answer)
        .map_err(|_| ModelError::unavailable("Google's login server answered without a token"))
}

/// The signed statement of a service account that it is itself.
fn statement(
    email: &str,
    key_id: Option<&str>,
    audience: &str,
    key: &Secret,
    now: Timestamp,
) -> Result<String, &'static str> {
    let pem: String = key.expose().lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(pem.trim()).map_err(|_| "is no PEM")?;
    let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| "is no RSA key")?;
    let start = now.as_second();
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key_id});
    let claims = json!({"iss": email, "scope": SCOPE, "aud": audience, "iat": start, "exp": start + 3600});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| "cannot sign")?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

impl TokenSource for DefaultCredentials {
    fn is_available(&self) -> bool {
        self.file.is_some() || self.machine.is_some()
    }

    fn beats_environment(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        match &self.file {
            Some(file) => format!("the Google credentials {}", file.display()),
            None => "the Google account of this machine".to_owned(),
        }
    }

    fn project(&self) -> Option<String> {
        match self.read().ok()?? {
            File::ServiceAccount { project_id, .. } => project_id,
            File::AuthorizedUser { quota_project_id, .. } => quota_project_id,
        }
    }

    fn token(&self) -> BoxFuture<'_, Result<Token, ModelError>> {
        let getting = async {
            let mut cached = self.cached.lock().await;
            let now = Timestamp::now();
            if let Some((secret, _)) = cached.as_ref().filter(|(_, end)| end.duration_since(now) > EARLY) {
                return Ok(Token::new(secret.clone()));
            }
            let Granted { access_token, expires_in } = self.request().await?;
            let lasting = SignedDuration::from_secs(expires_in.unwrap_or(3600).max(0));
            let end = now.checked_add(lasting).unwrap_or(now);
            let secret = SecretString::from(access_token.expose());
            *cached = Some((secret.clone(), end));
            Ok(Token::new(secret))
        };
        getting.boxed()
    }

    fn refused(&self, token: &Token) {
        // A lock that is held means that somebody gets another token already.
        if let Ok(mut cached) = self.cached.try_lock()
            && cached
                .as_ref()
                .is_some_and(|(secret, _)| secret.expose_secret() == token.secret.expose_secret())
        {
            *cached = None;
        }
    }
}

impl fmt::Debug for DefaultCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("DefaultCredentials");
        shown.field("file", &self.file).field("machine", &self.machine).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
