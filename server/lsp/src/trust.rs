//! Asks the user whether to trust a root that brings something of its own, once, when the agent is first used in it.
//!
//! The question runs beside the turn, which goes on without what the root brings. A yes is the same as `kit.trust.set`; a
//! no is remembered, so that the question does not come again; a question that is closed comes again with the next start.

use std::sync::Arc;

use kit_protocol::{AskKind, AskRequest, QuestionId, Trust};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::shared::{Running, Shared};

/// Asks what is to be asked; owned by nobody because it ends with the questions.
pub(crate) fn ask(shared: &Arc<Shared>, running: &Running) {
    let (shared, running) = (Arc::clone(shared), running.clone());
    tokio::spawn(async move {
        for question in running.sessions.trust_questions().await {
            let request = AskRequest {
                id: QuestionId::random(),
                kind: AskKind::Confirm,
                message: question.message,
                options: Vec::new(),
                default: Some(Value::Bool(false)),
                placeholder: None,
                masked: false,
                copy: None,
            };
            let answer = running.workspace.editor().ask(request, CancellationToken::new()).await;
            match answer.value.as_ref().and_then(Value::as_bool).filter(|_| !answer.cancelled) {
                Some(true) => {
                    let root = question.root.to_string_lossy().into_owned();
                    if let Err(error) = shared.application.trust(&running, Trust { root, trusted: true }) {
                        tracing::warn!(%error, "the root is not trusted");
                    }
                }
                Some(false) => {
                    if let Err(error) = running.sessions.projects().decline(&question.root) {
                        tracing::warn!(%error, "the user will be asked about trust again");
                    }
                }
                None => {}
            }
        }
    });
}
