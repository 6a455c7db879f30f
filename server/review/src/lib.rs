//! The ledger of agent changes: what the user has not yet accepted, hunk by hunk, for as long as the user likes.
//!
//! For each changed file the ledger keeps a baseline (what the user has accepted), the live text, and the agent text
//! (the live text without what the user typed into the agent's changes). Hunks are the difference from baseline to live
//! text, computed anew after every change and never stored. What happens, happens to the texts:
//!
//! | Event | Baseline | Agent text | Live text |
//! |---|---|---|---|
//! | the agent edits | – | changes | changes |
//! | the user types outside hunks | changes | changes | changes |
//! | the user types inside a hunk, which makes it *mixed* | – | – | changes |
//! | keep | takes the live lines | takes the live lines | – |
//! | undo | – | takes the baseline's lines | takes the baseline's lines |
//! | undo of a mixed hunk | takes what the user typed | takes the baseline's lines | loses the agent's part by a three-way merge |
//!
//! So another program on the disk and the agent's own second thoughts need no care of their own: wherever live text and
//! baseline are equal, nothing is pending. The editor's own undo and redo bring hunks back with the texts they had.
//!
//! [`ReviewFile`] is this for one file, as a pure value. [`Ledger`] holds all files of a workspace, says what they look
//! like ([`Ledger::snapshot`]), remembers each turn's edits for rewinding and each step of the review for taking it
//! back, and keeps everything in a folder that several processes may share. It never writes a user's file: undo,
//! reversal and rewind give [`Plan`]s, which the caller carries out through the editor or on disk and then commits.
//!
//! ```text
//! record(change)     what the workspace observed, with whose work it was
//! keep(selection)    accept, at once
//! plan_undo(…), plan_revert(), plan_rewind(…)  →  plans  →  caller  →  commit(plan, outcome)
//! take_feedback(session)   what a model should know at its next request
//! ```

mod align;
mod delta;
mod feedback;
mod file;
mod history;
mod ledger;
mod operation;
mod persistence;
mod recent;
mod review;
mod selection;
mod splice;
mod state;
mod store;

pub use feedback::Feedback;
pub use file::{Hunk, LARGEST_BYTES, MOST_LINES, ReviewFile};
pub use history::PlannedRewind;
pub use ledger::{Current, CurrentTexts, Ledger, Notice};
pub use review::{Plan, PlanOutcome, Planned, Target};
pub use selection::{NotOneSelection, Selection};
pub use store::{JOURNAL, StoreError};
