//! The port through which sessions tell the outside what happens.

use kit_protocol::{Event, FileProblem, ReviewState, Status, UiUpdate};

/// Receives everything that a client may want to see. Calls must return at once and never wait for a client: a sink
/// that is slower than the sessions has to drop or replace by itself. Events of one session come in the order of
/// `seq`, whose numbers are final; text is already merged to about thirty events a second.
pub trait Sink: Send + Sync {
    /// Something happened in a session.
    fn event(&self, event: Event);
    /// The whole status; it replaces the one before.
    fn status(&self, status: Status);
    /// The whole review; it replaces the one before.
    fn review(&self, state: ReviewState);

    /// All files of an owner that are wrong, such as skills that cannot be read; they replace its earlier ones. Editors
    /// show them at their lines.
    fn problems(&self, owner: &'static str, problems: Vec<FileProblem>) {
        let _ = (owner, problems);
    }

    /// Something that an extension shows or takes away.
    fn ui(&self, update: UiUpdate) {
        let _ = update;
    }
}
