//! The settings that decide which model answers and where it is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kit_protocol::{ModelId, Secret, Settings};
use secrecy::SecretString;

pub use kit_protocol::{CustomModel, ProviderOverride};

/// The provider-related settings after all layers are merged.
#[derive(Clone, Default)]
pub struct ProviderSettings {
    /// The model to use when nobody names one.
    pub model: Option<ModelId>,
    /// The base URL of that model's provider, instead of its own; without a model it makes `custom/custom` the default.
    pub provider_url: Option<String>,
    /// The wire that the server at that URL speaks.
    pub provider_wire: Option<String>,
    /// The key for that model's provider.
    pub provider_api_key: Option<SecretString>,
    /// Further providers, or other addresses and keys of known ones, by provider id.
    pub providers: BTreeMap<String, ProviderOverride>,
    /// Models of servers that nobody knows, by name; used as `custom/name`.
    pub custom_models: BTreeMap<String, CustomModel>,
    /// Providers at which requests may carry the name of the vendor's own product.
    pub borrowed_identity: Vec<String>,
    /// How connections are made.
    pub connections: ConnectionSettings,
}

/// How connections to providers are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Any certificate will do.
    pub skip_verify: bool,
    /// Files with further certificates to trust.
    pub certificates: Vec<PathBuf>,
    /// The proxy, instead of the one of the environment; `none` for no proxy.
    pub proxy: Option<Secret>,
}

impl From<&Settings> for ProviderSettings {
    /// A model that is not `provider/name` counts as not set; whoever reads the settings reports it.
    fn from(settings: &Settings) -> Self {
        Self {
            model: settings.model.as_deref().and_then(|model| model.parse().ok()),
            provider_url: settings.provider_url.clone(),
            provider_wire: settings.provider_wire.clone(),
            provider_api_key: settings.provider_api_key.as_ref().map(|key| key.expose().into()),
            providers: settings.providers.clone().unwrap_or_default(),
            custom_models: settings.custom_models.clone().unwrap_or_default(),
            borrowed_identity: settings.borrowed_identity.clone().unwrap_or_default(),
            connections: ConnectionSettings {
                skip_verify: settings.tls_skip_verify.unwrap_or_default(),
                certificates: settings.ca_certificates.iter().flatten().map(PathBuf::from).collect(),
                proxy: settings.proxy.clone(),
            },
        }
    }
}
