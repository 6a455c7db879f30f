//! Where a file of instructions, a skill or a template comes from.

/// From weakest to strongest: of two things with one name the stronger one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Origin {
    /// The user's own folders.
    User,
    /// The project; only while it is trusted.
    Project,
    /// A setting names it.
    Explicit,
}
