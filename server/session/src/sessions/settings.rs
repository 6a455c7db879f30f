//! Models, modes, thinking levels and usage: of one session, of the current one, or of those to come.

use std::sync::{Arc, PoisonError};

use kit_protocol::{
    ErrorKind, KitError, ModeSetAnswer, ModeSetArguments, ModelId, ModelListAnswer, ModelListArguments,
    ModelSetAnswer, ModelSetArguments, SessionId, ThinkingSetAnswer, ThinkingSetArguments, UsageAnswer,
    UsageArguments,
};

use super::Sessions;
use crate::op::{Changes, Op};

impl Sessions {
    /// `kit.model.list`.
    pub async fn model_list(&self, arguments: ModelListArguments) -> Result<ModelListAnswer, KitError> {
        Ok(ModelListAnswer { models: self.shared.with.models.list(arguments.provider.as_deref()) })
    }

    /// `kit.model.set`. Without a session it is for the current one and new ones.
    pub async fn model_set(&self, arguments: ModelSetArguments) -> Result<ModelSetAnswer, KitError> {
        let ModelSetArguments { model, session } = arguments;
        let resolved = self.shared.with.models.resolve(&model);
        let info = resolved.map_err(|error| KitError::new(error.kind, error.message))?;
        if session.is_none() {
            self.set_defaults(|defaults| defaults.model = Some(model.clone()));
            let window = info.info().context_window;
            self.shared.board.set_defaults(|board| {
                board.model = Some(model.clone());
                board.context_window = window;
            });
        }
        match self.target(session) {
            Some(session) => self.ask(&session, |answer| Op::SetModel(model, answer)).await,
            None => Ok(ModelSetAnswer { model }),
        }
    }

    /// `kit.thinking.set`.
    pub async fn thinking_set(&self, arguments: ThinkingSetArguments) -> Result<ThinkingSetAnswer, KitError> {
        let ThinkingSetArguments { level, session } = arguments;
        if session.is_none() {
            self.set_defaults(|defaults| defaults.thinking = Some(level));
        }
        match self.target(session) {
            Some(session) => self.ask(&session, |answer| Op::SetThinking(level, answer)).await,
            None => Ok(ThinkingSetAnswer { level }),
        }
    }

    /// `kit.mode.set`.
    pub async fn mode_set(&self, arguments: ModeSetArguments) -> Result<ModeSetAnswer, KitError> {
        let ModeSetArguments { mode, session } = arguments;
        if session.is_none() {
            self.set_defaults(|defaults| defaults.mode = Some(mode));
            self.shared.board.set_defaults(|board| board.mode = mode);
        }
        match self.target(session) {
            Some(session) => self.ask(&session, |answer| Op::SetMode(mode, answer)).await,
            None => Ok(ModeSetAnswer { mode }),
        }
    }

    /// `kit.usage.get`. Without any session, only today's spending.
    pub async fn usage(&self, arguments: UsageArguments) -> Result<UsageAnswer, KitError> {
        match self.target(arguments.session) {
            Some(session) => self.ask(&session, Op::Usage).await,
            None => {
                let today = self.shared.today().await;
                Ok(UsageAnswer { turn: None, session: None, today, context: None, calls: Vec::new() })
            }
        }
    }

    fn target(&self, session: Option<SessionId>) -> Option<SessionId> {
        session.or_else(|| self.shared.board.current())
    }

    fn set_defaults(&self, change: impl FnOnce(&mut Changes)) {
        change(&mut self.defaults.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Finds out in the background which model is used when nobody chooses one, to show it before the first prompt.
    pub(super) fn find_default_model(&self) {
        let shared = Arc::clone(&self.shared);
        self.in_background(async move {
            let model: ModelId = shared.with.models.default_model().await;
            let window = match shared.with.models.resolve(&model) {
                Ok(resolved) => resolved.info().context_window,
                Err(error) => {
                    let signed_out = error.kind == ErrorKind::Auth;
                    tracing::info!(%model, %error, signed_out, "the default model cannot be used yet");
                    0
                }
            };
            shared.board.set_defaults(|board| {
                if board.model.is_none() {
                    board.model = Some(model);
                    board.context_window = window;
                }
            });
            shared.today().await;
        });
    }
}
