//! Asking GitHub Copilot which models the account has, by which endpoint each is reached and with which limits.

use std::time::Duration;

use kit_protocol::ErrorKind;

use super::Models;
use crate::copilot;
use crate::endpoint::Endpoint;
use crate::error::ModelError;
use crate::http::{fetch_text, origin};

/// How long the server may take.
const LIMIT: Duration = Duration::from_secs(5);

/// When the server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Whenever there is a login.
    Always,
    /// When the last list is not of today.
    WhenOld,
}

impl Models {
    /// Asks for the list where there is a login, and says why there is none. What was known before then stays.
    pub(super) async fn ask_copilot(&self, when: Asking) -> Option<String> {
        if when == Asking::WhenOld && self.catalogue.served().is_fresh() {
            return None;
        }
        let endpoint = Endpoint::find(copilot::ID, "", self.sources()).ok()?;
        endpoint.key_origin()?;
        self.refresh_copilot(&endpoint).await.err().map(|error| error.message)
    }

    async fn refresh_copilot(&self, endpoint: &Endpoint) -> Result<(), ModelError> {
        let endpoint = endpoint.current().await?;
        let headers = endpoint.headers_for_list()?;
        let mut url = endpoint.base_url.clone();
        let path = url.path().trim_end_matches('/').to_owned() + copilot::LIST;
        url.set_path(&path);
        let text = fetch_text(&self.http, "the list of models", &url, headers, LIMIT).await?;
        let answer = serde_json::from_str(&text).unwrap_or_default();
        let kept = self.catalogue.served().take(&answer).map_err(|error| {
            ModelError::new(ErrorKind::Internal, format!("its list of models cannot be kept: {error}"))
        })?;
        if !kept {
            let message =
                format!("{} sent no list of models; check the base URL and the proxy", origin(&url));
            return Err(ModelError::unavailable(message));
        }
        // Models that were found before have other limits now.
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.resolved.retain(|id, _| crate::providers::canonical(id.provider()) != copilot::ID);
        Ok(())
    }
}
