//! The last states of files, for the editor's own undo and redo.
//!
//! An editor's undo goes back through the very texts that a document had. When a file comes to hold such a text again,
//! the whole review state that went with it is taken up again: a hunk that was undone here or with the editor's undo
//! comes back when that is undone in turn, instead of passing for something that the user typed. A keep or a reversal
//! ends this for its file, since it makes a decision about the same text. Nothing of it outlives the process, as the
//! undo stacks of editors do not either.

use std::collections::VecDeque;

use kit_text::Text;
use kit_workspace::DocumentUri;

use crate::file::FileState;

/// How many states are remembered, of all files together.
const MOST: usize = 200;

#[derive(Default)]
pub(crate) struct Recent {
    states: VecDeque<(DocumentUri, FileState)>,
}

impl Recent {
    /// The file is about to leave this state.
    pub(crate) fn remember(&mut self, uri: &DocumentUri, state: &FileState) {
        self.states.retain(|(known, old)| known != uri || old.current != state.current);
        self.states.push_back((uri.clone(), state.clone()));
        if self.states.len() > MOST {
            self.states.pop_front();
        }
    }

    /// The state that went with this text, the latest first.
    pub(crate) fn recall(&self, uri: &DocumentUri, current: &Text) -> Option<FileState> {
        let same = |state: &FileState| state.current.as_ref() == Some(current);
        self.states
            .iter()
            .rev()
            .find(|(known, state)| known == uri && same(state))
            .map(|(_, state)| state.clone())
    }

    pub(crate) fn forget(&mut self, uri: &DocumentUri) {
        self.states.retain(|(known, _)| known != uri);
    }
}
