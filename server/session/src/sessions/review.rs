//! The review commands.

use std::sync::Arc;

use kit_protocol::{
    KitError, ReviewAnswer, ReviewArguments, ReviewListArguments, ReviewState, RewindAnswer, RewindArguments,
    RewindMode,
};

use super::Sessions;
use crate::op::Op;

impl Sessions {
    /// `kit.review.list`.
    pub async fn review_list(&self, arguments: ReviewListArguments) -> Result<ReviewState, KitError> {
        self.shared.with.desk.list(arguments).await
    }

    /// Accepts in the background what was committed.
    pub fn look_at_commits(&self) {
        let shared = Arc::clone(&self.shared);
        self.in_background(async move { shared.with.desk.accept_committed(&shared.with.projects).await });
    }

    /// `kit.review.keep`.
    pub async fn review_keep(&self, arguments: ReviewArguments) -> Result<ReviewAnswer, KitError> {
        self.shared.with.desk.keep(arguments).await
    }

    /// `kit.review.undo`.
    pub async fn review_undo(&self, arguments: ReviewArguments) -> Result<ReviewAnswer, KitError> {
        self.shared.with.desk.undo(arguments).await
    }

    /// `kit.review.revert`.
    pub async fn review_revert(&self) -> Result<ReviewAnswer, KitError> {
        self.shared.with.desk.revert().await
    }

    /// `kit.review.rewind`: files, conversation or both go back to before a turn.
    pub async fn review_rewind(&self, arguments: RewindArguments) -> Result<RewindAnswer, KitError> {
        let RewindArguments { session, turn, mode, preview } = arguments;
        let (files, conversation) = match mode {
            RewindMode::Files => (true, false),
            RewindMode::Conversation => (false, true),
            RewindMode::Both => (true, true),
        };
        let turns = self.ask(&session, |answer| Op::TurnsFrom(turn.clone(), answer)).await?;
        let mut answer = RewindAnswer { restore: Vec::new(), skip: Vec::new() };
        // The conversation first: it is refused while a turn runs, and then no file must have changed.
        if conversation && !preview {
            self.ask(&session, |answer| Op::RewindTo(turn, answer)).await?;
        }
        if files {
            answer = self.shared.with.desk.rewind(session, turns, preview).await?;
        }
        Ok(answer)
    }
}
