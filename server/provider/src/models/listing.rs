//! Providers with their models, for people who look for one.

use kit_protocol::ModelInfo;

use super::Models;
use super::served::Asking;
use crate::auth::KeyOrigin;
use crate::copilot;
use crate::endpoint::{Endpoint, unknown_provider};
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
    /// Why its server could not tell its models, so that they are those that are known here.
    pub remark: Option<String>,
}

impl Models {
    /// The providers that can be used now, with their models. Servers on this machine are asked, and GitHub Copilot once a
    /// day.
    pub async fn usable_providers(&self) -> Vec<ProviderListing> {
        let mut listings = self.all_providers().await;
        listings.retain(|listing| listing.is_usable);
        listings
    }

    /// Every provider that is known, with its models. Servers on this machine are asked, and GitHub Copilot once a day.
    pub async fn all_providers(&self) -> Vec<ProviderListing> {
        let (_, remark) = futures::join!(self.list_local(), self.ask_copilot(Asking::WhenOld));
        let mut ids: Vec<String> = PROVIDERS.iter().map(|provider| provider.id.to_owned()).collect();
        let more = self.settings.providers.keys().cloned();
        let more = more.chain(self.catalogue.providers().map(str::to_owned));
        for id in more {
            if !ids.iter().any(|known| *known == providers::canonical(&id)) {
                ids.push(id);
            }
        }
        let mut listings: Vec<ProviderListing> = ids.iter().filter_map(|id| self.listing(id)).collect();
        if let Some(listing) = listings.iter_mut().find(|listing| listing.id == copilot::ID) {
            listing.remark = remark;
        }
        listings
    }

    /// One provider with its models, which GitHub Copilot and servers on this machine are asked for. Fails when there is no
    /// such provider.
    pub async fn provider(&self, id: &str) -> Result<ProviderListing, ModelError> {
        let id = providers::canonical(id);
        if local::PROVIDERS.contains(&id) {
            self.list_local().await;
        }
        let unknown = || unknown_provider(id, &self.settings, &self.catalogue);
        let is_known = providers::find(id).is_some()
            || self.settings.providers.contains_key(id)
            || self.catalogue.providers().any(|known| known == id);
        if !is_known {
            return Err(unknown());
        }
        let remark = if id == copilot::ID { self.ask_copilot(Asking::Always).await } else { None };
        let listing = self.listing(id).ok_or_else(unknown)?;
        Ok(ProviderListing { remark, ..listing })
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
        Some(ProviderListing {
            id: id.to_owned(),
            name,
            origin,
            is_usable: is_usable && answers,
            models,
            remark: None,
        })
    }
}
