//! Which models there are: from an id to a model, lists, and the default.

mod listing;
mod logins;
mod served;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use kit_protocol::{CustomCost, CustomModel, ErrorKind, ModelId, ModelInfo, Price};

pub use listing::ProviderListing;

use crate::auth::Credentials;
use crate::catalogue::{Abilities, Catalogue};
use crate::endpoint::{Endpoint, Sources};
use crate::environment::Environment;
use crate::error::ModelError;
use crate::google::DefaultCredentials;
use crate::http::{ConnectionStats, Http, Limits};
use crate::local;
use crate::model::Model;
use crate::providers::{self, PROVIDERS};
use crate::pump::Call;
use crate::rate::RateLimits;
use crate::recorded::{self, Recorded, Recorder};
use crate::remote::Remote;
use crate::scripted::{self, Scripted};
use crate::settings::ProviderSettings;
use crate::token::{TokenSource, TokenSources};
use crate::update;
use crate::usage::{Prices, micros};

/// Resolves model ids. Models of the same id are one object, and all share one pool of connections.
pub struct Models {
    settings: ProviderSettings,
    environment: Environment,
    http: Arc<Http>,
    limits: Limits,
    catalogue: Catalogue,
    credentials: Option<Credentials>,
    tokens: TokenSources,
    recorder: Option<Recorder>,
    known: Mutex<Known>,
}

/// What was found out so far.
#[derive(Default)]
struct Known {
    resolved: HashMap<ModelId, Arc<dyn Model>>,
    /// What local servers said about their models.
    local: HashMap<ModelId, ModelInfo>,
}

impl Models {
    /// Models as settings and environment have them. Does nothing yet: no file is read and no server asked.
    pub fn new(settings: &ProviderSettings, environment: Environment) -> Self {
        Self::with_limits(settings, environment, Limits::default())
    }

    pub(crate) fn with_limits(settings: &ProviderSettings, environment: Environment, limits: Limits) -> Self {
        let http = Arc::new(Http::new(settings.connections.clone(), &environment));
        let google: Arc<dyn TokenSource> = Arc::new(DefaultCredentials::find(&environment, http.clone()));
        Self {
            settings: settings.clone(),
            environment,
            http,
            limits,
            catalogue: Catalogue::default(),
            credentials: None,
            tokens: TokenSources::from([("google-vertex".to_owned(), google)]),
            recorder: None,
            known: Mutex::default(),
        }
    }

    /// Looks models up in this file too, which is in the format of models.dev and need not exist. It is read when it is
    /// first needed.
    pub fn with_catalogue(mut self, file: PathBuf) -> Self {
        self.catalogue = Catalogue::with_file(file);
        self
    }

    /// Uses the tokens of this source for requests to a provider. They win over keys of the environment.
    pub fn with_tokens(mut self, provider: &str, source: Arc<dyn TokenSource>) -> Self {
        self.tokens.insert(providers::canonical(provider).to_owned(), source);
        self
    }

    /// Appends what providers send to this file, to be played again as `recorded/FILE`.
    pub fn with_recording(mut self, file: &Path) -> Result<Self, ModelError> {
        self.recorder = Some(Recorder::open(file)?);
        Ok(self)
    }

    fn recorded(&self, id: &ModelId) -> Result<Recorded, ModelError> {
        let call = Call {
            info: unknown_info(id),
            remote_name: id.name().to_owned(),
            provider_name: "the recording".to_owned(),
            key_source: String::new(),
            prices: None,
            is_subscription: false,
            limits: self.limits,
            catalogue: self.catalogue.clone(),
        };
        Recorded::read(Path::new(id.name()), call)
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            settings: &self.settings,
            environment: &self.environment,
            catalogue: &self.catalogue,
            credentials: self.credentials.as_ref(),
            tokens: &self.tokens,
        }
    }

    /// The model of the id. A model that the catalogue does not know is allowed, and so is one whose key is missing:
    /// its first attempt says so.
    pub fn resolve(&self, id: &ModelId) -> Result<Arc<dyn Model>, ModelError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = known.resolved.get(id) {
            return Ok(model.clone());
        }
        let model: Arc<dyn Model> = if id.provider() == scripted::PROVIDER {
            Arc::new(Scripted::find(id, &self.script_folders())?)
        } else if id.provider() == recorded::PROVIDER {
            Arc::new(self.recorded(id)?)
        } else {
            Arc::new(self.remote(id, known.local.get(id))?)
        };
        known.resolved.insert(id.clone(), model.clone());
        Ok(model)
    }

    fn remote(&self, id: &ModelId, local: Option<&ModelInfo>) -> Result<Remote, ModelError> {
        let custom =
            self.settings.custom_models.get(id.name()).filter(|_| id.provider() == providers::CUSTOM.id);
        let own_server = custom.filter(|custom| custom.base_url.is_some()).map(|custom| ProviderSettings {
            model: Some(id.clone()),
            provider_url: custom.base_url.clone(),
            provider_api_key: custom.api_key.as_ref().map(|key| key.expose().into()),
            ..self.settings.clone()
        });
        let settings = own_server.as_ref().unwrap_or(&self.settings);
        let endpoint = Endpoint::find(id.provider(), id.name(), Sources { settings, ..self.sources() })?;
        let entry = self.catalogue.find(id.provider(), id.name());
        let info = match (custom, &entry, local) {
            (Some(custom), _, _) => custom_info(id, custom),
            (None, Some(entry), _) => entry.info(id.clone()),
            (None, None, Some(local)) => local.clone(),
            (None, None, None) => unknown_info(id),
        };
        let remote_name = match (custom.and_then(|custom| custom.api_model_name.clone()), &entry) {
            (Some(name), _) => name,
            (None, Some(entry)) => entry.id.clone(),
            (None, None) => id.name().to_owned(),
        };
        let prices = entry.as_ref().and_then(|entry| entry.prices.clone());
        let prices = prices.or_else(|| Some(Prices { base: info.price?, tiers: Vec::new() }));
        // An Ollama that was asked told whether its model reasons.
        let told = local.is_some() && id.provider() == "ollama";
        let unknown =
            Abilities { reasoning: info.reasoning, known: told, ..Abilities::unknown(id.provider()) };
        let abilities = entry.as_ref().map_or(unknown, |entry| entry.abilities);
        let call = Call {
            info,
            remote_name,
            provider_name: endpoint.name.clone(),
            key_source: endpoint.key_source.clone(),
            prices,
            is_subscription: false,
            limits: self.limits,
            catalogue: self.catalogue.clone(),
        };
        Ok(Remote::new(endpoint, call, abilities, self.http.clone(), self.recorder.clone()))
    }

    /// The models that are known without asking anyone, of one provider or of all that can be used: the catalogue, those
    /// of the settings, scripts, and what `list_local` found before.
    pub fn list(&self, provider: Option<&str>) -> Vec<ModelInfo> {
        let wanted = |id: &str| provider.is_none_or(|provider| provider == id);
        let mut models = Vec::new();
        for provider in self.providers(provider) {
            let entries = self.catalogue.entries(provider).into_iter();
            models.extend(entries.filter_map(|entry| {
                let id = format!("{provider}/{}", entry.id).parse().ok()?;
                Some(entry.info(id))
            }));
        }
        if wanted(providers::CUSTOM.id) {
            let custom = self.settings.custom_models.iter().filter_map(|(name, custom)| {
                let id = format!("{}/{name}", providers::CUSTOM.id).parse().ok()?;
                Some(custom_info(&id, custom))
            });
            models.extend(custom);
        }
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let mut local: Vec<ModelInfo> =
                known.local.values().filter(|info| wanted(&info.provider)).cloned().collect();
            local.sort_by(|left, right| left.id.cmp(&right.id));
            models.extend(local);
        }
        if wanted(scripted::PROVIDER) {
            let names = Scripted::names(&self.script_folders()).into_iter();
            let ids = names.filter_map(|name| format!("{}/{name}", scripted::PROVIDER).parse().ok());
            models.extend(ids.filter_map(|id| Some(self.resolve(&id).ok()?.info().clone())));
        }
        models
    }

    /// Refreshes the user's file of models from an address or a file, by default from models.dev, and returns how many
    /// models it has. `embedded` takes the file away, so that only the models of this version are known; the answer is
    /// then `None`. What is changed holds from the next start on.
    pub async fn update_catalogue(&self, source: Option<&str>) -> Result<Option<usize>, ModelError> {
        match self.catalogue.file() {
            Some(file) => update::update(&self.http, file, source).await,
            None => Err(ModelError::new(ErrorKind::InvalidRequest, "there is no place to keep models in")),
        }
    }

    /// The provider with that id, or all whose models are worth listing: the usual ones, and others that have a key.
    fn providers<'a>(&self, provider: Option<&'a str>) -> Vec<&'a str> {
        if let Some(provider) = provider {
            return vec![provider];
        }
        let usual: Vec<&str> = PROVIDERS.iter().map(|provider| provider.id).collect();
        let usable = |id: &str| {
            let found = Endpoint::find(id, "", self.sources());
            found.is_ok_and(|endpoint| endpoint.is_usable())
        };
        let others = self.catalogue.providers().filter(|id| !usual.contains(id) && usable(id));
        usual.iter().copied().chain(others).collect()
    }

    /// How many connections are kept and in use.
    pub fn connections(&self) -> ConnectionStats {
        self.http.stats()
    }

    /// How much of its limits a provider said to be left, as of its last answer.
    pub fn rate_limits(&self, provider: &str) -> Option<RateLimits> {
        self.http.rate_limits(provider)
    }

    /// Up to five known models whose names are close to an id that is not known; none for one that is.
    pub fn suggestions(&self, id: &ModelId) -> Vec<ModelId> {
        if self.catalogue.find(id.provider(), id.name()).is_some() {
            return Vec::new();
        }
        let near = self.catalogue.suggestions(id.provider(), id.name()).into_iter();
        near.filter_map(|name| format!("{}/{name}", id.provider()).parse().ok()).collect()
    }

    /// The models of the servers that run on this machine, asked all at once.
    pub async fn list_local(&self) -> Vec<ModelInfo> {
        let endpoints: Vec<Endpoint> =
            local::PROVIDERS.iter().filter_map(|id| Endpoint::find(id, "", self.sources()).ok()).collect();
        let asked = endpoints.iter().map(|endpoint| local::models(&self.http, endpoint));
        let found: Vec<ModelInfo> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for info in &found {
            known.local.insert(info.id.clone(), info.clone());
        }
        found
    }

    /// The model to use when nobody names one: the one of the settings; else the usual one of the first provider with a
    /// key; else the first model of a server on this machine; else the demonstration.
    pub async fn default_model(&self) -> ModelId {
        if let Some(model) = &self.settings.model {
            return model.clone();
        }
        if self.settings.provider_url.is_some() {
            let first = self.settings.custom_models.keys().next().map_or("custom", String::as_str);
            if let Ok(model) = format!("{}/{first}", providers::CUSTOM.id).parse() {
                return model;
            }
        }
        let with_key = PROVIDERS.iter().find_map(|provider| {
            let model = provider.default_model?;
            let endpoint = Endpoint::find(provider.id, model, self.sources()).ok()?;
            if endpoint.is_usable() { format!("{}/{model}", provider.id).parse().ok() } else { None }
        });
        match with_key {
            Some(model) => model,
            None => self.list_local().await.into_iter().next().map_or_else(ModelId::demo, |info| info.id),
        }
    }

    fn script_folders(&self) -> Vec<PathBuf> {
        let scripts = self.environment.get("KIT_SCRIPTS").map(PathBuf::from);
        let home = self.environment.kit_home().map(|home| home.join("scripts"));
        scripts.into_iter().chain(home).collect()
    }
}

/// A model that nothing is known about. The custom model without a name has upstream's limits.
fn unknown_info(id: &ModelId) -> ModelInfo {
    let custom = id.provider() == providers::CUSTOM.id && id.name() == "custom";
    let (context_window, max_output) = if custom { (262_144, 65_536) } else { (0, 0) };
    ModelInfo {
        id: id.clone(),
        provider: id.provider().to_owned(),
        name: id.name().to_owned(),
        context_window,
        max_output,
        reasoning: true,
        price: None,
        note: None,
    }
}

fn custom_info(id: &ModelId, custom: &CustomModel) -> ModelInfo {
    let limit = custom.limit.unwrap_or_default();
    ModelInfo {
        id: id.clone(),
        provider: id.provider().to_owned(),
        name: custom.name.clone().unwrap_or_else(|| id.name().to_owned()),
        context_window: limit.context,
        max_output: limit.output,
        reasoning: custom.reasoning,
        price: custom.cost.and_then(custom_price),
        note: None,
    }
}

fn custom_price(cost: CustomCost) -> Option<Price> {
    Some(Price {
        input: micros(cost.input)?,
        output: micros(cost.output)?,
        cache_read: cost.cache_read.and_then(micros),
        cache_write: cost.cache_write.and_then(micros),
    })
}

#[cfg(test)]
mod tests;
