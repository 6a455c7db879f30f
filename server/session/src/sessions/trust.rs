//! Asks the user whether to trust a root that brings something of its own, once, when the agent is first used in it.
//!
//! The question runs beside the turn, which goes on without what the root brings. A yes is the same as `kit.trust.set`; a
//! no is remembered, so that the question does not come again; a question that is closed comes again with the next start.

use std::sync::Arc;

use kit_protocol::{AskKind, AskRequest, KitError, QuestionId, Trust};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Sessions, blocking};
use crate::project::TrustQuestion;

impl Sessions {
    /// Asks what is to be asked, one root after the other; a yes is given to `grant`.
    pub async fn ask_for_trust(&self, grant: impl Fn(Trust) -> Result<Trust, KitError>) {
        for TrustQuestion { root, message } in self.trust_questions().await {
            let request = AskRequest {
                id: QuestionId::random(),
                kind: AskKind::Confirm,
                message,
                options: Vec::new(),
                default: Some(Value::Bool(false)),
                placeholder: None,
                masked: false,
                copy: None,
            };
            let answer = self.shared.with.workspace.editor().ask(request, CancellationToken::new()).await;
            match answer.value.as_ref().and_then(Value::as_bool).filter(|_| !answer.cancelled) {
                Some(true) => {
                    let trust = Trust { root: root.to_string_lossy().into_owned(), trusted: true };
                    if let Err(error) = grant(trust) {
                        tracing::warn!(%error, "the root is not trusted");
                    }
                }
                Some(false) => {
                    if let Err(error) = self.projects().decline(&root) {
                        tracing::warn!(%error, "the user will be asked about trust again");
                    }
                }
                None => {}
            }
        }
    }

    /// The roots about which the user should be asked now, each once.
    async fn trust_questions(&self) -> Vec<TrustQuestion> {
        let (projects, roots) = (Arc::clone(&self.shared.with.projects), self.roots());
        let ask = move || roots.iter().filter_map(|root| projects.question(root)).collect();
        blocking(ask).await.unwrap_or_default()
    }
}
