//! Logins at the providers that these models come from: what there is, making one, forgetting one.

use std::path::Path;
use std::sync::Arc;

use kit_protocol::{ErrorKind, ModelId};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::Models;
use super::served::Asking;
use crate::auth::{
    self, Account, AccountLogin, AuthError, Credentials, Flow, Kind, LoginKind, LoginStatus, LoginUi,
    Service, StoredLogin, Tokens,
};
use crate::copilot;
use crate::endpoint::Endpoint;
use crate::error::ModelError;
use crate::providers;

/// The providers whose accounts are known without a setting.
const WITH_ACCOUNTS: [&str; 3] = ["anthropic", "openai", copilot::ID];

impl Models {
    /// Uses the logins of this file too. They win over keys of the environment.
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        let tokens = Arc::new(Tokens::new(credentials.clone(), Arc::clone(&self.http)));
        let ids = WITH_ACCOUNTS.into_iter().chain(self.settings.providers.keys().map(String::as_str));
        for service in ids.filter_map(|id| Service::of(id, &self.settings)) {
            let provider = service.provider.clone().into_owned();
            let account = Account::new(service, &self.settings, credentials.clone(), Arc::clone(&tokens));
            self.tokens.insert(provider, Arc::new(account));
        }
        self.credentials = Some(credentials);
        self
    }

    /// The login at a provider: where its key comes from, whichever of the places that is.
    pub fn login(&self, provider: &str) -> Result<LoginStatus, ModelError> {
        let provider = providers::canonical(provider);
        let endpoint = Endpoint::find(provider, "", self.sources())?;
        let stored = match &self.credentials {
            Some(credentials) => credentials.outline(provider)?,
            None => None,
        };
        let account = Service::of(provider, &self.settings).map(|service| AccountLogin {
            only_way: matches!(service.flow, Flow::Device { exchange_url: Some(_), .. }),
            refusal: service.permitted(&self.settings).err().map(|refusal| refusal.to_string()),
            name: service.name.into_owned(),
        });
        Ok(LoginStatus {
            provider: provider.to_owned(),
            origin: endpoint.key_origin(),
            required: endpoint.key_required,
            name: endpoint.name,
            variables: endpoint.variables,
            stored: stored.map(|stored| StoredLogin {
                in_keychain: stored.in_keychain,
                kind: match stored.kind {
                    Kind::Key => LoginKind::Key,
                    Kind::Tokens => LoginKind::Account,
                },
                account: stored.account,
                created: stored.created,
                expires: stored.expires,
            }),
            account,
        })
    }

    /// The logins at the usual providers and at all others for which there is a key or a login. A provider whose address or
    /// logins cannot be read is left out; asking for it alone says why.
    pub fn logins(&self) -> Vec<LoginStatus> {
        let stored = self.credentials.as_ref().and_then(|credentials| credentials.providers().ok());
        let mut ids: Vec<String> = self.providers(None).into_iter().map(str::to_owned).collect();
        ids.extend(WITH_ACCOUNTS.map(str::to_owned));
        ids.extend(self.settings.providers.keys().cloned());
        ids.extend(stored.unwrap_or_default());
        let mut seen = std::collections::BTreeSet::new();
        ids.retain(|id| seen.insert(providers::canonical(id).to_owned()));
        let needs_login = |status: &LoginStatus| status.required || status.origin.is_some();
        ids.iter().filter_map(|id| self.login(id).ok()).filter(needs_login).collect()
    }

    /// Stores a key for a provider.
    pub fn store_key(&self, provider: &str, key: &SecretString) -> Result<LoginStatus, ModelError> {
        let status = self.login(provider)?;
        if status.account.as_ref().is_some_and(|account| account.only_way) {
            let message = format!("{} takes no keys; log in with {}", status.name, status.provider);
            return Err(ModelError::new(ErrorKind::InvalidRequest, message));
        }
        self.stored_logins()?.set_key(&status.provider, key)?;
        self.login(provider)
    }

    /// Logs in with an account and stores the tokens. Whatever was stored before stays until the new ones are there.
    pub async fn log_in(
        &self,
        provider: &str,
        ui: &dyn LoginUi,
        cancel: &CancellationToken,
    ) -> Result<LoginStatus, ModelError> {
        let status = self.login(provider)?;
        let service = Service::of(provider, &self.settings)
            .ok_or_else(|| AuthError::NoAccounts { provider: status.provider.clone() })?;
        service.permitted(&self.settings)?;
        auth::log_in(&self.http, &service, self.stored_logins()?, ui, cancel).await?;
        if status.provider == copilot::ID {
            // Another account may have other models. That they are not known yet is no failure of the login.
            self.catalogue.served().forget();
            let _told_when_listed = self.ask_copilot(Asking::Always).await;
        }
        self.login(provider)
    }

    /// Forgets the stored login at a provider and tells whether there was one.
    pub fn log_out(&self, provider: &str) -> Result<bool, ModelError> {
        let provider = providers::canonical(provider);
        let was_there = self.stored_logins()?.remove(provider)?;
        if was_there && provider == copilot::ID {
            self.catalogue.served().forget();
        }
        Ok(was_there)
    }

    /// Where logins are stored, if there is a place.
    pub fn logins_path(&self) -> Option<&Path> {
        self.credentials.as_ref().map(Credentials::path)
    }

    /// The model that one begins with at a provider.
    pub fn usual_model(&self, provider: &str) -> Option<ModelId> {
        let known = providers::find(provider)?;
        format!("{}/{}", known.id, known.default_model?).parse().ok()
    }

    /// Whether requests to a model can be sent as far as keys and logins go.
    pub fn is_signed_in(&self, model: &ModelId) -> bool {
        let found = Endpoint::find(model.provider(), model.name(), self.sources());
        found.map_or(true, |endpoint| endpoint.is_usable())
    }

    fn stored_logins(&self) -> Result<&Credentials, ModelError> {
        self.credentials.as_ref().ok_or_else(|| {
            ModelError::new(ErrorKind::InvalidRequest, "there is no home directory to keep logins in")
        })
    }
}
