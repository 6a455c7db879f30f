//! The ledger of agent changes.
mod align;
mod feedback;
mod file;
mod history;
mod ledger;
mod operation;
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
pub use store::StoreError;
