//! The ledger of agent changes: baselines, hunks, keep and undo.
