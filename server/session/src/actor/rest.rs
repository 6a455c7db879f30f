//! How a session lives: it is opened, runs, and is closed, or rests and is opened again.
//!
//! A subagent that is done rests: it has let go of its file and of everything else but its queue of requests, so that
//! hundreds of them cost nothing and another process may open them. Whoever asks it something wakes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_protocol::{ErrorKind, KitError, SessionId};
use tokio::sync::mpsc;

use super::{Actor, Start};
use crate::dependencies::Shared;
use crate::op::Op;

/// Runs a session until it is closed or nobody can reach it any more.
pub(crate) async fn run(shared: Arc<Shared>, session: SessionId, start: Start, mut ops: mpsc::Receiver<Op>) {
    let (mut start, mut first) = (start, None);
    loop {
        match Actor::open(Arc::clone(&shared), session.clone(), start).await {
            Ok(actor) => {
                let Some(path) = actor.run(&mut ops, first.take()).await else { return };
                let Some(op) = woken(&mut ops, &path).await else { return };
                first = Some(op);
                start = Start::Stored { path };
            }
            Err(error) => {
                ops.close();
                if let Some(op) = first {
                    op.refuse(error.clone());
                }
                while let Some(op) = ops.recv().await {
                    op.refuse(error.clone());
                }
                return;
            }
        }
    }
}

/// The request that wakes a resting session; `None` when it is closed instead, or nobody can reach it any more.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else is asked wakes it, also what is new")]
async fn woken(ops: &mut mpsc::Receiver<Op>, path: &Path) -> Option<Op> {
    loop {
        match ops.recv().await? {
            Op::Cancel(_) | Op::Adopt(..) | Op::LookAtLogins => {}
            Op::Close(done) => {
                ops.close();
                // Whoever asked may have given up.
                let _unread = done.send(path.to_owned());
                let closed = KitError::new(ErrorKind::NotFound, "the session is closed");
                while let Some(op) = ops.recv().await {
                    op.refuse(closed.clone());
                }
                return None;
            }
            op => return Some(op),
        }
    }
}

impl Actor {
    /// Whether the session may let go of its file: its task is done, nothing waits, and the user is not in it.
    pub(super) fn may_rest(&self) -> bool {
        self.rests
            && self.running.is_none()
            && self.queue.is_empty()
            && self.closing.is_empty()
            && self.summarizing.is_none()
            && self.asked_compaction.is_none()
            && self.shared.board.current().as_ref() != Some(&self.session)
    }

    /// Lets go of the file and answers it.
    pub(super) async fn rest(mut self) -> PathBuf {
        self.stream.flush();
        self.shared.board.remove(&self.session);
        let path = self.journal.path().to_owned();
        self.journal.close().await;
        path
    }
}
