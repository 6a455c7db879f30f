//! The stored login of a provider as a source of tokens for requests.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use secrecy::SecretString;

use super::error::AuthError;
use super::service::Service;
use super::store::{Credentials, Kind};
use super::tokens::Tokens;
use crate::error::ModelError;
use crate::settings::ProviderSettings;
use crate::token::{Token, TokenSource};

/// A provider's login, whether there is one or not.
#[derive(Debug)]
pub(crate) struct Account {
    service: Service,
    /// Why the user would have to let it be used first.
    refusal: Option<ModelError>,
    credentials: Credentials,
    tokens: Arc<Tokens>,
    /// What the provider did not take.
    refused: Mutex<Option<SecretString>>,
}

impl Account {
    pub(crate) fn new(
        service: Service,
        settings: &ProviderSettings,
        credentials: Credentials,
        tokens: Arc<Tokens>,
    ) -> Self {
        let refusal = service.permitted(settings).err().map(ModelError::from);
        Self { service, refusal, credentials, tokens, refused: Mutex::default() }
    }

    fn is_there(&self) -> bool {
        // Logins that cannot be read are reported by the request that needs them.
        let outline = self.credentials.outline(&self.service.provider).ok().flatten();
        outline.is_some_and(|outline| outline.kind == Kind::Tokens)
    }

    async fn current(&self) -> Result<Token, AuthError> {
        let service = &self.service;
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        let access = match refused {
            Some(refused) => Some(self.tokens.another(service, refused).await?),
            None => self.tokens.access(service).await?,
        };
        let gone = || AuthError::Ended {
            provider: service.provider.clone().into_owned(),
            reason: "it was removed meanwhile".to_owned(),
        };
        Ok(Token::of(service, &access.ok_or_else(gone)?))
    }
}

impl TokenSource for Account {
    fn is_available(&self) -> bool {
        self.refusal.is_none() && self.is_there()
    }

    fn refusal(&self) -> Option<ModelError> {
        self.refusal.clone().filter(|_| self.is_there())
    }

    fn describe(&self) -> String {
        format!("{}{}", super::ACCOUNT, self.service.provider)
    }

    fn token(&self) -> BoxFuture<'_, Result<Token, ModelError>> {
        Box::pin(async { self.current().await.map_err(ModelError::from) })
    }

    fn refused(&self, token: &Token) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.secret.clone());
    }
}
