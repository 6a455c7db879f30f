//! The settings that decide which model answers and where it is reached.

use std::collections::BTreeMap;

use kit_protocol::{ModelId, Settings};
use secrecy::SecretString;

pub use kit_protocol::{CustomModel, ProviderOverride};

/// The provider-related settings after all layers are merged.
#[derive(Clone, Default)]
pub struct ProviderSettings {
    /// The model to use when nobody names one.
    pub model: Option<ModelId>,
    /// The base URL of that model's provider, instead of its own; without a model it makes `custom/custom` the default.
    pub provider_url: Option<String>,
    /// The key for that model's provider.
    pub provider_api_key: Option<SecretString>,
    /// Further providers, or other addresses and keys of known ones, by provider id.
    pub providers: BTreeMap<String, ProviderOverride>,
    /// Models of servers that nobody knows, by name; used as `custom/name`.
    pub custom_models: BTreeMap<String, CustomModel>,
}

impl From<&Settings> for ProviderSettings {
    /// A model that is not `provider/name` counts as not set; whoever reads the settings reports it.
    fn from(settings: &Settings) -> Self {
        Self {
            model: settings.model.as_deref().and_then(|model| model.parse().ok()),
            provider_url: settings.provider_url.clone(),
            provider_api_key: settings.provider_api_key.clone().map(SecretString::from),
            providers: settings.providers.clone().unwrap_or_default(),
            custom_models: settings.custom_models.clone().unwrap_or_default(),
        }
    }
}
