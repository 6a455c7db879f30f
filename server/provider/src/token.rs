//! Tokens that end: whoever sends a request asks here and gets one that is valid for a while.
//!
//! Where a token comes from (a login, a service account, a metadata server) is the source's matter alone. A source renews
//! early, one renewal at a time, and keeps what it has for as long as it is good.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::auth::Dress;
use crate::error::ModelError;

/// A token as a request carries it.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub secret: SecretString,
    /// Where requests with it go, if the token says so.
    pub base_url: Option<String>,
    /// What else requests with it are like.
    pub(crate) dress: Dress,
}

impl Token {
    /// A token that requests carry as they would carry a key.
    pub fn new(secret: SecretString) -> Self {
        Self { secret, base_url: None, dress: Dress::default() }
    }
}

/// Where the tokens of a provider come from. `Debug` must show no token.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// Whether there is a login or an account to make tokens of. Asks nobody and may read a small file.
    fn is_available(&self) -> bool;

    /// Whether its tokens are used although the environment has a key, as those of a login are.
    fn beats_environment(&self) -> bool {
        true
    }

    /// Why it cannot be used although it is there, such as a leave that the user has not given.
    fn refusal(&self) -> Option<ModelError> {
        None
    }

    /// What a sentence calls the source, such as "the login at GitHub".
    fn describe(&self) -> String;

    /// The project that requests belong to, where the source names one.
    fn project(&self) -> Option<String> {
        None
    }

    /// A token that is valid now. The error says how to log in.
    fn token(&self) -> BoxFuture<'_, Result<Token, ModelError>>;

    /// The provider refused this token: the next call of [`TokenSource::token`] must get another one.
    fn refused(&self, token: &Token);
}

/// The sources of tokens, by provider id.
pub(crate) type TokenSources = BTreeMap<String, Arc<dyn TokenSource>>;
