//! The commands about prompts that wait.

use kit_protocol::{KitError, QueueAnswer, QueueArguments, QueueRemoveArguments};

use super::Sessions;
use crate::op::{Op, TakeBack};

impl Sessions {
    /// `kit.queue.list`: what waits, in the order in which the model will read it.
    pub async fn queue_list(&self, arguments: QueueArguments) -> Result<QueueAnswer, KitError> {
        let session = self.named(arguments.session)?;
        self.ask(&session, |answer| Op::Queue(TakeBack::Nothing, answer)).await
    }

    /// `kit.queue.remove`: takes one prompt back and answers what is left.
    pub async fn queue_remove(&self, arguments: QueueRemoveArguments) -> Result<QueueAnswer, KitError> {
        let QueueRemoveArguments { session, id } = arguments;
        let session = self.named(session)?;
        self.ask(&session, |answer| Op::Queue(TakeBack::One(id), answer)).await
    }

    /// `kit.queue.clear`: takes all prompts back.
    pub async fn queue_clear(&self, arguments: QueueArguments) -> Result<QueueAnswer, KitError> {
        let session = self.named(arguments.session)?;
        self.ask(&session, |answer| Op::Queue(TakeBack::All, answer)).await
    }
}
