//! Where a provider is reached and with which key: settings first, then the environment, then the table.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kit_protocol::{ErrorKind, ModelId};
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::auth::{self, Credential, Credentials, Dress, Key, KeyOrigin};
use crate::aws::{self, Account, Identity, Scope};
use crate::catalogue::{Catalogue, nearest};
use crate::copilot;
use crate::environment::Environment;
use crate::error::ModelError;
use crate::model::Request;
use crate::providers::{self, Auth, Provider};
use crate::scripted;
use crate::settings::ProviderSettings;
use crate::token::{Token, TokenSource, TokenSources};
use crate::wire::Wire;
use crate::wire::chat::Quirks;

/// The version of the messages wire that is spoken.
const MESSAGES_VERSION: &str = "2023-06-01";
/// The region of an account that names none.
const DEFAULT_REGION: &str = "us-east-1";

/// A provider as it is reached. `Debug` shows no key.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) wire: Wire,
    /// The wire of a server at a configured address that does not know the first one, as most speak only the older.
    pub(crate) alternative: Option<Wire>,
    auth: Auth,
    pub(crate) base_url: Url,
    /// The variables or settings that hold the key or should.
    pub(crate) key_source: String,
    pub(crate) variables: Vec<String>,
    key: Option<Key>,
    /// The key of the environment, for when the stored one is gone.
    fallback: Option<Key>,
    credentials: Option<Credentials>,
    /// Where tokens of a login come from.
    login: Option<TokensOfLogin>,
    /// The token that this endpoint was made with.
    token: Option<Token>,
    /// Whose signature stands in for a key.
    identity: Option<Identity>,
    /// The keys to sign with, once they are known.
    account: Option<Account>,
    /// Requests may carry the name of the vendor's own product.
    borrows_identity: bool,
    pub(crate) key_required: bool,
    headers: Vec<(String, SecretString)>,
}

/// Where tokens of a login come from.
type TokensOfLogin = Arc<dyn TokenSource>;

/// Where the parts of an endpoint come from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) settings: &'a ProviderSettings,
    pub(crate) environment: &'a Environment,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) credentials: Option<&'a Credentials>,
    pub(crate) tokens: &'a TokenSources,
}

impl Endpoint {
    /// The endpoint of a provider for one of its models. Fails when it is not known or its settings cannot work; a missing
    /// key is no failure yet, because the model can be listed without it.
    pub(crate) fn find(provider: &str, model: &str, sources: Sources<'_>) -> Result<Self, ModelError> {
        let Sources { settings, environment, catalogue, credentials, tokens } = sources;
        let id = providers::canonical(provider);
        let known = providers::find(provider).cloned().or_else(|| catalogue.provider(provider, model));
        let changed = settings.providers.get(provider);
        let is_known = known.is_some();
        let base = match (known, changed) {
            (Some(known), _) => known,
            (None, Some(_)) => {
                Provider { base_url_variables: &[], key_variables: Cow::Borrowed(&[]), ..providers::CUSTOM }
            }
            (None, None) => return Err(unknown_provider(provider, settings, catalogue)),
        };
        // The settings' URL and key belong to the configured model, and without one to the custom provider.
        let chosen = settings.model.as_ref().map_or(providers::CUSTOM.id, ModelId::provider) == provider;
        let declared = settings
            .provider_wire
            .as_deref()
            .filter(|_| chosen)
            .map(|name| (name, "provider-wire".to_owned()));
        let declared =
            declared.or_else(|| Some((changed?.wire.as_deref()?, format!("providers.{provider}.wire"))));
        let wire = match &declared {
            None => catalogue.wire(id, model).unwrap_or_else(|| base.wire_of(model)),
            Some((name, setting)) => wire(name, base.wire).ok_or_else(|| unknown_wire(setting, name))?,
        };
        let identity = (base.auth == Auth::Aws).then(|| Identity::find(environment));
        let chosen_url = settings.provider_url.as_deref().filter(|_| chosen);
        let from_settings = chosen_url.or_else(|| changed.and_then(|changed| changed.base_url.as_deref()));
        let from_environment = base.base_url_variables.iter().find_map(|name| environment.get(name));
        let url = match from_settings.or(from_environment) {
            Some(url) => Cow::Borrowed(url),
            None => {
                let login = tokens.get(id);
                let lookup = |names: &str| value_of(names, environment, identity.as_ref(), login);
                Cow::Owned(expand(provider, &base.base_url, lookup)?)
            }
        };
        let base_url = parse_url(provider, &url)?;
        let routed =
            wire == Wire::Responses && wire != base.wire && from_settings.or(from_environment).is_some();
        let alternative = match wire {
            _ if declared.is_some() => None,
            Wire::ChatCompletions(_) => None,
            // A server of one's own usually has the wire that all servers have, whatever the name of the model suggests.
            Wire::Messages
            | Wire::Responses
            | Wire::Gemini
            | Wire::Ollama
            | Wire::Converse
            | Wire::VertexMessages
                if chosen_url.is_some() =>
            {
                Some(chat(base.wire))
            }
            Wire::Responses if routed => Some(base.wire),
            Wire::Messages
            | Wire::Responses
            | Wire::Gemini
            | Wire::Ollama
            | Wire::Converse
            | Wire::VertexMessages => None,
        };
        let variables = changed.and_then(|changed| changed.api_key_env.clone());
        let named_variables = variables.is_some();
        let variables =
            variables.unwrap_or_else(|| base.key_variables.iter().map(|name| (*name).to_owned()).collect());
        let direct = settings.provider_api_key.clone().filter(|_| chosen);
        let direct = direct.map(|secret| Key { secret, origin: KeyOrigin::Setting });
        let fallback = variables.iter().find_map(|name| {
            Some(Key { secret: environment.secret(name)?, origin: KeyOrigin::Environment(name.clone()) })
        });
        let credentials = credentials.filter(|_| direct.is_none()).cloned();
        let login = tokens.get(id).filter(|_| direct.is_none()).cloned();
        // Logins that cannot be read are reported by the first request that needs them, which also gets the key itself.
        let outline = || credentials.as_ref()?.outline(provider).ok().flatten();
        let stored = || {
            let is_key = outline()?.kind == auth::Kind::Key;
            is_key.then(|| Key { secret: SecretString::default(), origin: KeyOrigin::Stored })
        };
        let key = direct.or_else(stored).or_else(|| fallback.clone());
        let key_source = key.as_ref().map_or_else(|| variables.join(" or "), |key| key.origin.describe());
        let headers = changed.and_then(|changed| changed.headers.clone()).unwrap_or_default();
        Ok(Self {
            provider: provider.to_owned(),
            name: changed
                .and_then(|changed| changed.name.clone())
                .unwrap_or_else(|| if is_known { base.name.to_owned() } else { provider.to_owned() }),
            wire,
            alternative,
            auth: base.auth,
            base_url,
            key_source: if key_source.is_empty() { "provider-api-key".to_owned() } else { key_source },
            variables,
            key,
            fallback,
            credentials,
            login,
            token: None,
            identity,
            account: None,
            borrows_identity: settings.borrowed_identity.iter().any(|name| providers::canonical(name) == id),
            key_required: base.key == providers::Key::Required || named_variables,
            headers: headers.into_iter().map(|(name, value)| (name, value.expose().into())).collect(),
        })
    }

    /// The endpoint as it is now: a login may have come or gone since it was found, and a command may have to be asked.
    pub(crate) async fn current(&self) -> Result<Self, ModelError> {
        let mut current = self.clone();
        if let Some(credentials) = &self.credentials {
            current.key = stored_key(&self.provider, credentials).await?.or_else(|| self.fallback.clone());
        }
        if let Some(login) = self.usable_login(current.key.as_ref()) {
            let token = login.token().await?;
            if let Some(url) = &token.base_url {
                current.base_url = parse_url(&self.provider, url)?;
            }
            if let Some(wire) = token.dress.wire() {
                current.wire = wire;
                current.alternative = None;
            }
            current.key_source = login.describe();
            current.key = Some(Key { secret: token.secret.clone(), origin: KeyOrigin::Stored });
            current.token = Some(token);
        } else if let Some(key) = &mut current.key {
            current.key_source = key.origin.describe();
            key.secret = auth::resolve(&key.secret, &current.key_source).await?;
        } else if let Some(identity) = &self.identity {
            current.account = Some(identity.account().await?);
            current.key_source = identity.origin().map(|origin| origin.describe()).unwrap_or_default();
        }
        Ok(current)
    }

    /// The login whose tokens requests carry: one that is there, unless a key was stored or set.
    fn usable_login(&self, key: Option<&Key>) -> Option<&TokensOfLogin> {
        let wins = |login: &TokensOfLogin| match key.map(|key| &key.origin) {
            Some(KeyOrigin::Setting | KeyOrigin::Stored) => false,
            Some(KeyOrigin::Environment(_) | KeyOrigin::Account(_)) => login.beats_environment(),
            None => true,
        };
        self.login.as_ref().filter(|login| wins(login) && login.is_available())
    }

    /// Says that the provider refused the token of this endpoint. Returns whether another one can be had.
    pub(crate) fn refused(&self) -> bool {
        let Some((login, token)) = self.login.as_ref().zip(self.token.as_ref()) else { return false };
        login.refused(token);
        true
    }

    /// What requests with the token of this endpoint are like, if it was made with one.
    pub(crate) fn dress(&self) -> Option<&Dress> {
        self.token.as_ref().map(|token| &token.dress)
    }

    /// Where the key comes from, if there is one.
    pub(crate) fn key_origin(&self) -> Option<KeyOrigin> {
        let login = self.usable_login(self.key.as_ref()).map(|login| match login.beats_environment() {
            true => KeyOrigin::Stored,
            false => KeyOrigin::Account(login.describe()),
        });
        let key = || self.key.as_ref().map(|key| key.origin.clone());
        login.or_else(key).or_else(|| self.identity.as_ref()?.origin())
    }

    /// Whether requests can be sent: a key is there or not needed.
    pub(crate) fn is_usable(&self) -> bool {
        !self.key_required || self.key_origin().is_some()
    }

    /// The headers that depend on the request: who is named, and the signature.
    pub(crate) fn headers_for(
        &self,
        request: &Request,
        url: &Url,
        body: &[u8],
    ) -> Result<HeaderMap, ModelError> {
        let mut headers = self.headers()?;
        if self.auth == Auth::Copilot {
            headers.extend(copilot::headers(request, self.borrows_identity)?);
        }
        if let Some(token) = &self.token {
            token.dress.apply(request.cache_key.as_deref(), &mut headers);
        }
        if let Some(account) = &self.account {
            let host = url.host_str().unwrap_or_default();
            let named = host.strip_prefix("bedrock-runtime.").and_then(|rest| rest.split('.').next());
            let own = self.identity.as_ref().and_then(Identity::region);
            let region = named.or(own).unwrap_or(DEFAULT_REGION);
            let scope = Scope { region, service: "bedrock" };
            headers.extend(aws::sign(account, scope, url, body, Timestamp::now()));
        }
        Ok(headers)
    }

    /// The headers of a request for the list of models of GitHub Copilot.
    pub(crate) fn headers_for_list(&self) -> Result<HeaderMap, ModelError> {
        let mut headers = self.headers()?;
        headers.extend(copilot::identity(self.borrows_identity)?);
        if let Some(token) = &self.token {
            token.dress.apply(None, &mut headers);
        }
        Ok(headers)
    }

    /// The URL of the wire's path below the base URL, for a model as the provider names it. A base URL may or may not end
    /// with the version already.
    pub(crate) fn url(&self, model: &str) -> Url {
        let mut url = self.base_url.clone();
        let base = url.path().trim_end_matches('/');
        let base = match self.wire {
            Wire::Ollama => base.strip_suffix("/v1").unwrap_or(base),
            Wire::VertexMessages => base.strip_suffix("/google").unwrap_or(base),
            Wire::Messages | Wire::ChatCompletions(_) | Wire::Responses | Wire::Gemini | Wire::Converse => {
                base
            }
        };
        let path = self.wire.path(model);
        let repeated = path.strip_prefix("/v1").filter(|_| base.ends_with("/v1"));
        let maker = if self.wire == Wire::VertexMessages && base.ends_with("/publishers") {
            "/anthropic"
        } else {
            ""
        };
        let path = format!("{base}{maker}{}", repeated.unwrap_or(&path));
        url.set_path(&path);
        // What the user put into the query of a base URL, such as a version, stays there.
        for (name, value) in self.wire.query().into_iter().filter_map(|query| query.split_once('=')) {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }

    /// The headers of a request.
    pub(crate) fn headers(&self) -> Result<HeaderMap, ModelError> {
        let mut headers = HeaderMap::new();
        let accepted = match self.wire {
            Wire::Converse => "application/vnd.amazon.eventstream, application/json",
            Wire::Messages
            | Wire::ChatCompletions(_)
            | Wire::Responses
            | Wire::Gemini
            | Wire::Ollama
            | Wire::VertexMessages => "text/event-stream, application/json",
        };
        headers.insert(ACCEPT, HeaderValue::from_static(accepted));
        if matches!(self.wire, Wire::Messages) {
            headers.insert("anthropic-version", HeaderValue::from_static(MESSAGES_VERSION));
        }
        if !self.is_usable() {
            if let Some(refusal) = self.login.as_ref().and_then(|login| login.refusal()) {
                return Err(refusal);
            }
            let Self { name, key_source, .. } = self;
            let other = match self.auth {
                Auth::Google => ", run `gcloud auth application-default login`",
                Auth::Aws => ", set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
                Auth::Copilot | Auth::Wire | Auth::ApiKey => "",
            };
            let login = match self.auth {
                Auth::Google => String::new(),
                Auth::Aws | Auth::Copilot | Auth::Wire | Auth::ApiKey => {
                    format!(", run `kit-ls auth login {}`", self.provider)
                }
            };
            let message = format!(
                "no key for {name}: set the environment variable {key_source}{other}{login}, or choose another model"
            );
            return Err(ModelError::new(ErrorKind::Auth, message));
        }
        if let Some(key) = &self.key {
            let key = key.secret.expose_secret();
            let (name, value) = match (self.auth, self.wire) {
                _ if self.token.is_some() => (AUTHORIZATION, format!("Bearer {key}")),
                (Auth::Wire, Wire::Messages) => (HeaderName::from_static("x-api-key"), key.to_owned()),
                (Auth::Wire, Wire::Gemini) => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
                (Auth::ApiKey, _) => (HeaderName::from_static("api-key"), key.to_owned()),
                (Auth::Aws | Auth::Google | Auth::Copilot, _)
                | (
                    Auth::Wire,
                    Wire::ChatCompletions(_)
                    | Wire::Responses
                    | Wire::Ollama
                    | Wire::Converse
                    | Wire::VertexMessages,
                ) => (AUTHORIZATION, format!("Bearer {key}")),
            };
            headers.insert(
                name,
                secret_header(&value).ok_or_else(|| {
                    let message = format!(
                        "the key from {} holds characters that no header can carry; set it again",
                        self.key_source
                    );
                    ModelError::new(ErrorKind::Auth, message)
                })?,
            );
        }
        for (name, value) in &self.headers {
            let header = name.parse::<HeaderName>().ok().zip(secret_header(value.expose_secret()));
            let (name, value) = header.ok_or_else(|| {
                let message = format!("providers.{}.headers: `{name}` is not a valid header", self.provider);
                ModelError::new(ErrorKind::InvalidRequest, message)
            })?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

async fn stored_key(provider: &str, credentials: &Credentials) -> Result<Option<Key>, ModelError> {
    let (credentials, id) = (credentials.clone(), provider.to_owned());
    // The system keychain may have to ask the user.
    let read = tokio::task::spawn_blocking(move || credentials.get(&id)).await;
    let read = read.map_err(|error| {
        ModelError::new(ErrorKind::Internal, format!("the login at {provider} could not be read: {error}"))
    })?;
    match read? {
        Some(Credential::ApiKey { key, .. }) => Ok(Some(Key { secret: key, origin: KeyOrigin::Stored })),
        // Tokens come from the login's source, which keeps them current.
        Some(Credential::Tokens { .. }) | None => Ok(None),
    }
}

fn secret_header(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The wire of that name; the habits of the provider's own one are kept.
pub(crate) fn wire(name: &str, base: Wire) -> Option<Wire> {
    match (name, base) {
        ("anthropic" | "messages", _) => Some(Wire::Messages),
        ("openai" | "responses", _) => Some(Wire::Responses),
        ("google" | "gemini", _) => Some(Wire::Gemini),
        ("ollama", _) => Some(Wire::Ollama),
        ("bedrock" | "converse", _) => Some(Wire::Converse),
        ("vertex-messages", _) => Some(Wire::VertexMessages),
        ("openai-compat" | "chat-completions", base) => Some(chat(base)),
        _ => None,
    }
}

/// The wire that all servers have, with the habits of the provider where it is its own one.
fn chat(base: Wire) -> Wire {
    match base {
        Wire::ChatCompletions(_) => base,
        Wire::Messages
        | Wire::Responses
        | Wire::Gemini
        | Wire::Ollama
        | Wire::Converse
        | Wire::VertexMessages => Wire::ChatCompletions(Quirks::COMMON),
    }
}

/// The value of the first of these variables (`A|B`), or what stands in for it.
fn value_of(
    names: &str,
    environment: &Environment,
    identity: Option<&Identity>,
    login: Option<&TokensOfLogin>,
) -> Option<String> {
    if let Some(value) = names.split('|').find_map(|name| environment.get(name)) {
        return Some(value.to_owned());
    }
    match names {
        "AWS_REGION|AWS_DEFAULT_REGION" => {
            Some(identity.and_then(Identity::region).unwrap_or(DEFAULT_REGION).to_owned())
        }
        "GOOGLE_VERTEX_PROJECT|GOOGLE_CLOUD_PROJECT" => login.and_then(|login| login.project()),
        "GOOGLE_VERTEX_LOCATION|GOOGLE_CLOUD_LOCATION" => Some("global".to_owned()),
        _ => None,
    }
}

/// An address with the values of the variables that it names.
fn expand(
    provider: &str,
    address: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<String, ModelError> {
    let mut rest = address;
    let mut expanded = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        let (names, after) = after.split_once('}').unwrap_or((after, ""));
        let value = lookup(names).ok_or_else(|| {
            let names = names.replace('|', " or ");
            let message = format!("no address for {provider}: set the environment variable {names}, or providers.{provider}.baseUrl");
            ModelError::new(ErrorKind::InvalidRequest, message)
        })?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    // Vertex has its global location at a host without a location in its name.
    Ok(expanded.replace("//global-aiplatform.", "//aiplatform."))
}

/// A base URL; a bare `host:port`, as `OLLAMA_HOST` has it, gets the scheme and the version path.
fn parse_url(provider: &str, text: &str) -> Result<Url, ModelError> {
    if text.is_empty() {
        let message = format!("no address for {provider}: set provider-url or providers.{provider}.baseUrl");
        return Err(ModelError::new(ErrorKind::InvalidRequest, message));
    }
    let bare = !text.contains("://");
    let text = if bare { format!("http://{text}/v1") } else { text.to_owned() };
    let text = text.replace("//0.0.0.0", "//127.0.0.1");
    let url =
        text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url = url.ok_or_else(|| {
        let message = format!("the base URL of {provider} is not an http or https URL; correct it");
        ModelError::new(ErrorKind::InvalidRequest, message)
    })?;
    // Azure shows its address without the path.
    if url.path() == "/" && url.host_str().is_some_and(|host| host.ends_with(".openai.azure.com")) {
        url.set_path("/openai/v1");
    }
    Ok(url)
}

/// The error about a provider that nobody knows, with the names that are near.
pub(crate) fn unknown_provider(
    provider: &str,
    settings: &ProviderSettings,
    catalogue: &Catalogue,
) -> ModelError {
    let mut known: BTreeSet<&str> = settings.providers.keys().map(String::as_str).collect();
    known.extend(providers::PROVIDERS.iter().map(|provider| provider.id));
    known.extend(providers::ALIASES.iter().map(|(alias, _)| *alias));
    for id in catalogue.providers() {
        known.insert(id);
    }
    known.insert(scripted::PROVIDER);
    let near = nearest(provider, known);
    let mend = if near.is_empty() {
        "`kit-ls models --all` lists all of them, and others can be set under `providers`".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    ModelError::new(ErrorKind::NotFound, format!("there is no provider `{provider}`; {mend}"))
}

fn unknown_wire(setting: &str, name: &str) -> ModelError {
    let message = format!(
        "{setting} is `{name}`; it must be openai-compat, openai, anthropic, google, ollama or bedrock"
    );
    ModelError::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use kit_protocol::ProviderOverride;

    use super::*;

    fn settings(provider: &str, changed: ProviderOverride) -> ProviderSettings {
        ProviderSettings { providers: [(provider.to_owned(), changed)].into(), ..ProviderSettings::default() }
    }

    fn find(
        provider: &str,
        settings: &ProviderSettings,
        variables: &[(&str, &str)],
    ) -> Result<Endpoint, String> {
        let environment = Environment::from_iter(variables.iter().copied());
        let catalogue = Catalogue::default();
        let sources = Sources {
            settings,
            environment: &environment,
            catalogue: &catalogue,
            credentials: None,
            tokens: &TokenSources::new(),
        };
        Endpoint::find(provider, "m", sources).map_err(|error| error.message)
    }

    fn url(
        provider: &str,
        settings: &ProviderSettings,
        variables: &[(&str, &str)],
    ) -> Result<String, String> {
        find(provider, settings, variables).map(|endpoint| endpoint.url("m").to_string())
    }

    #[test]
    fn base_urls_follow_the_customs_of_each_provider() {
        let none = ProviderSettings::default();
        let check = |provider, variables: &[(&str, &str)], expected: &str| {
            assert_eq!(url(provider, &none, variables).as_deref(), Ok(expected));
        };
        check("anthropic", &[], "https://api.anthropic.com/v1/messages");
        check(
            "anthropic",
            &[("ANTHROPIC_BASE_URL", "http://localhost:1/")],
            "http://localhost:1/v1/messages",
        );
        check(
            "anthropic",
            &[("ANTHROPIC_BASE_URL", "http://localhost:1/v1")],
            "http://localhost:1/v1/messages",
        );
        check(
            "openai",
            &[("OPENAI_BASE_URL", "http://localhost:1/v1/")],
            "http://localhost:1/v1/chat/completions",
        );
        check("openrouter", &[], "https://openrouter.ai/api/v1/chat/completions");
        check("ollama", &[("OLLAMA_HOST", "0.0.0.0:9")], "http://127.0.0.1:9/api/chat");
        check("ollama", &[("OLLAMA_HOST", "http://box:9")], "http://box:9/api/chat");
        check("ollama", &[("OLLAMA_BASE_URL", "http://box:9/v1/")], "http://box:9/api/chat");
        check(
            "gemini",
            &[],
            "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse",
        );
        let vertex = [("GOOGLE_CLOUD_PROJECT", "p"), ("GOOGLE_CLOUD_LOCATION", "global")];
        check(
            "google-vertex",
            &vertex,
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/m:streamGenerateContent?alt=sse",
        );
        check(
            "azure",
            &[("AZURE_RESOURCE_NAME", "r")],
            "https://r.openai.azure.com/openai/v1/chat/completions",
        );
        check(
            "azure",
            &[("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com/?api-version=1")],
            "https://r.openai.azure.com/openai/v1/chat/completions?api-version=1",
        );
        assert_eq!(
            url("azure", &none, &[]).unwrap_err(),
            "no address for azure: set the environment variable AZURE_RESOURCE_NAME or AZURE_OPENAI_RESOURCE, or providers.azure.baseUrl"
        );
    }

    #[test]
    fn settings_win_over_the_environment() {
        let changed =
            ProviderOverride { base_url: Some("http://b/v1".into()), ..ProviderOverride::default() };
        let mut settings = settings("openai", changed);
        let variables = [("OPENAI_BASE_URL", "http://c/v1")];
        assert_eq!(url("openai", &settings, &variables).as_deref(), Ok("http://b/v1/chat/completions"));
        settings.provider_url = Some("http://a/v1".into());
        assert_eq!(url("openai", &settings, &variables).as_deref(), Ok("http://b/v1/chat/completions"));
        assert_eq!(url("custom", &settings, &variables).as_deref(), Ok("http://a/v1/chat/completions"));
        settings.model = Some("openai/x".parse().unwrap());
        assert_eq!(url("openai", &settings, &variables).as_deref(), Ok("http://a/v1/chat/completions"));
    }

    #[test]
    fn a_provider_of_the_settings_needs_an_address_and_a_known_wire() {
        let wire = |wire: Option<&str>, base_url: Option<&str>| {
            let wire = wire.map(str::to_owned);
            settings(
                "mine",
                ProviderOverride { wire, base_url: base_url.map(str::to_owned), ..Default::default() },
            )
        };
        assert_eq!(
            url("mine", &wire(None, Some("http://m/x")), &[]).as_deref(),
            Ok("http://m/x/chat/completions")
        );
        assert_eq!(
            url("mine", &wire(Some("anthropic"), Some("http://m")), &[]).as_deref(),
            Ok("http://m/v1/messages")
        );
        let error = |settings| url("mine", &settings, &[]).unwrap_err();
        assert_eq!(
            error(wire(None, None)),
            "no address for mine: set provider-url or providers.mine.baseUrl"
        );
        assert_eq!(
            error(wire(Some("smoke"), Some("http://m"))),
            "providers.mine.wire is `smoke`; it must be openai-compat, openai, anthropic, google, ollama or bedrock"
        );
        assert_eq!(
            error(wire(None, Some("ftp://m"))),
            "the base URL of mine is not an http or https URL; correct it"
        );
        assert!(error(ProviderSettings::default()).starts_with("there is no provider `mine`; "));
    }

    #[test]
    fn a_missing_key_names_its_variables() {
        let error =
            |provider| find(provider, &ProviderSettings::default(), &[]).unwrap().headers().unwrap_err();
        let anthropic = error("anthropic");
        assert_eq!(anthropic.kind, ErrorKind::Auth);
        assert_eq!(
            anthropic.message,
            "no key for Anthropic: set the environment variable ANTHROPIC_API_KEY, run `kit-ls auth login anthropic`, or choose another model"
        );
        assert!(
            error("google")
                .message
                .contains("GEMINI_API_KEY or GOOGLE_API_KEY or GOOGLE_GENERATIVE_AI_API_KEY")
        );
        assert!(find("ollama", &ProviderSettings::default(), &[]).unwrap().headers().is_ok());
    }

    #[test]
    fn keys_travel_as_each_wire_wants_them_and_are_never_shown() {
        let none = ProviderSettings::default();
        let anthropic = find("anthropic", &none, &[("ANTHROPIC_API_KEY", "sk-planted\n")]).unwrap();
        let openai = find("openai", &none, &[("OPENAI_API_KEY", "sk-planted")]).unwrap();
        assert_eq!(anthropic.headers().unwrap().get("x-api-key").unwrap(), "sk-planted");
        assert_eq!(openai.headers().unwrap().get("authorization").unwrap(), "Bearer sk-planted");
        let header = |provider: &str, variables: &[(&str, &str)], header: &str| {
            find(provider, &none, variables).unwrap().headers().unwrap().get(header).cloned().unwrap()
        };
        assert_eq!(header("google", &[("GEMINI_API_KEY", "g")], "x-goog-api-key"), "g");
        let vertex = [
            ("GOOGLE_CLOUD_PROJECT", "p"),
            ("GOOGLE_CLOUD_LOCATION", "eu"),
            ("GOOGLE_VERTEX_ACCESS_TOKEN", "t"),
        ];
        assert_eq!(header("google-vertex", &vertex, "authorization"), "Bearer t");
        assert_eq!(header("azure", &[("AZURE_RESOURCE_NAME", "r"), ("AZURE_API_KEY", "a")], "api-key"), "a");
        for shown in [format!("{anthropic:?}"), format!("{:?}", openai.headers().unwrap())] {
            assert!(!shown.contains("planted"), "{shown}");
        }
        let broken = find("openai", &none, &[("OPENAI_API_KEY", "a\nb")]).unwrap().headers().unwrap_err();
        assert_eq!(
            broken.message,
            "the key from OPENAI_API_KEY holds characters that no header can carry; set it again"
        );
    }

    #[tokio::test]
    async fn a_stored_key_wins_over_the_environment_and_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::at(folder.path().join("credentials.json"));
        let environment = Environment::from_iter([("OPENAI_API_KEY", "from-environment")]);
        let catalogue = Catalogue::default();
        let find = |settings: &ProviderSettings| {
            let sources = Sources {
                settings,
                environment: &environment,
                catalogue: &catalogue,
                credentials: Some(&credentials),
                tokens: &TokenSources::new(),
            };
            Endpoint::find("openai", "m", sources).unwrap()
        };
        let found = find(&ProviderSettings::default());
        let sent = async |endpoint: &Endpoint| {
            let current = endpoint.current().await.unwrap();
            let header =
                current.headers().unwrap().get("authorization").unwrap().to_str().unwrap().to_owned();
            (header, current.key_source)
        };
        let expected = |key: &str, source: &str| (format!("Bearer {key}"), source.to_owned());
        assert_eq!(sent(&found).await, expected("from-environment", "OPENAI_API_KEY"));
        credentials.set_key_at("openai", &"stored".into(), jiff::Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(sent(&found).await, expected("stored", "the stored login"));
        let set = ProviderSettings {
            model: Some("openai/m".parse().unwrap()),
            provider_api_key: Some("set".into()),
            ..ProviderSettings::default()
        };
        assert_eq!(sent(&find(&set)).await, expected("set", "provider-api-key"));
        credentials.remove("openai").unwrap();
        assert_eq!(sent(&found).await, expected("from-environment", "OPENAI_API_KEY"));
        std::fs::write(credentials.path(), "{").unwrap();
        assert_eq!(found.current().await.unwrap_err().kind, ErrorKind::Auth);
    }

    #[test]
    fn headers_of_the_settings_are_sent_and_checked() {
        let with = |name: &str, value: &str| {
            let headers = Some([(name.to_owned(), value.to_owned().into())].into());
            let changed =
                ProviderOverride { base_url: Some("http://m".into()), headers, ..Default::default() };
            find("mine", &settings("mine", changed), &[]).unwrap().headers()
        };
        assert_eq!(with("x-team", "blue").unwrap().get("x-team").unwrap(), "blue");
        assert_eq!(
            with("x team", "blue").unwrap_err().message,
            "providers.mine.headers: `x team` is not a valid header"
        );
    }
}
