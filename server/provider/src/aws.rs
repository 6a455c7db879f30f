//! Amazon Web Services: whose requests they are, and how they are signed.

mod account;
mod profile;
mod sign;

pub(crate) use account::{Account, Identity};
pub(crate) use sign::{Scope, Slash, encoded, sign};
