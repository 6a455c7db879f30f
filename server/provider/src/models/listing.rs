//! Providers with their models, for people who look for one.

use kit_protocol::{ErrorKind, ModelInfo};

use super::Models;
use crate::auth::KeyOrigin;
use crate::endpoint::Endpoint;
use crate::error::ModelError;
use crate::local;
use crate::providers::{self, PROVIDERS};

/// A provider and what it has.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderListing {
    /// The provider's id.
    pub id: String,
    /// The provider's name for people.
    pub name: String,
    /// Where its key comes from; `None` when there is none.
    pub origin: Option<KeyOrigin>,
    /// Whether requests can be sent: a key is there, or none is needed and the server answers.
    pub is_usable: bool,
    /// Its models, by name.
    pub models: Vec<ModelInfo>,
}

impl Models {
    /// The providers that can be used now, with their models. Servers on this machine are asked.
    pub async fn usable_providers(&self) -> Vec<ProviderListing> {
        let mut listings = self.all_providers().await;
        listings.retain(|listing| listing.is_usable);
        listings
    }

    /// Every provider that is known, with its models. Servers on this machine are asked.
    pub async fn all_providers(&self) -> Vec<ProviderListing> {
        self.list_local().await;
        let mut ids: Vec<String> = PROVIDERS.iter().map(|provider| provider.id.to_owned()).collect();
        let more = self.settings.providers.keys().cloned();
        let more = more.chain(self.catalogue.providers().map(str::to_owned));
        for id in more {
            if !ids.iter().any(|known| *known == providers::canonical(&id)) {
                ids.push(id);
            }
        }
        ids.iter().filter_map(|id| self.listing(id)).collect()
    }

    /// One provider with its models. Fails when there is no such provider.
    pub async fn provider(&self, id: &str) -> Result<ProviderListing, ModelError> {
        let id = providers::canonical(id);
        if local::PROVIDERS.contains(&id) {
            self.list_local().await;
        }
        let unknown = || {
            let mut known: Vec<String> = self.catalogue.providers().map(str::to_owned).collect();
            known.extend(PROVIDERS.iter().map(|provider| provider.id.to_owned()));
            known.extend(self.settings.providers.keys().cloned());
            known.extend(providers::ALIASES.iter().map(|(alias, _)| (*alias).to_owned()));
            known.sort_unstable();
            known.dedup();
            known.retain(|known| {
                known.contains(id) || id.contains(known.as_str()) || known.starts_with(start(id))
            });
            let near =
                if known.is_empty() { String::new() } else { format!(" (similar: {})", known.join(", ")) };
            let message =
                format!("there is no provider `{id}`{near}; `kit-ls models --all` lists all of them");
            ModelError::new(ErrorKind::NotFound, message)
        };
        let is_known = providers::find(id).is_some()
            || self.settings.providers.contains_key(id)
            || self.catalogue.providers().any(|known| known == id);
        if !is_known {
            return Err(unknown());
        }
        self.listing(id).ok_or_else(unknown)
    }

    fn listing(&self, id: &str) -> Option<ProviderListing> {
        let models = self.list(Some(id));
        let found = Endpoint::find(id, "", self.sources());
        // A provider whose address is not set yet is known all the same.
        let named = || providers::find(id).map_or(id, |provider| provider.name).to_owned();
        let (name, origin, is_usable) = match &found {
            Ok(endpoint) => (endpoint.name.clone(), endpoint.key_origin(), endpoint.is_usable()),
            Err(_) => (named(), None, false),
        };
        let is_own = id == providers::CUSTOM.id && self.settings.provider_url.is_none();
        if is_own && models.is_empty() {
            return None;
        }
        let answers = !local::PROVIDERS.contains(&id) || !models.is_empty();
        Some(ProviderListing { id: id.to_owned(), name, origin, is_usable: is_usable && answers, models })
    }
}

/// The first letters of a name, which a typing mistake seldom hits.
fn start(name: &str) -> &str {
    name.char_indices().nth(3).map_or(name, |(end, _)| name.get(..end).unwrap_or(name))
}
