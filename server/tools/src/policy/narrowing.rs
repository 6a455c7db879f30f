//! What a session may call at most, for a while: the tools that an active skill allows.
//!
//! A narrowing takes away and gives nothing: a call that it leaves goes on to the rules as ever. Several narrowings of a
//! session hold together. A rule that cannot be read allows nothing.

use std::path::Path;
use std::sync::Arc;

use kit_protocol::PermissionRules;

use super::command::{Coverage, coverage};
use super::lists::{Layered, Lists, Part};
use super::{Call, place};
use crate::shell;
use crate::tool::Access;

/// One narrowing.
#[derive(Clone, Debug)]
pub(crate) struct Narrowing {
    /// Who narrows, as the refusal says it.
    by: String,
    rules: Vec<String>,
    lists: Vec<Arc<Lists>>,
}

impl Narrowing {
    pub(crate) fn new(by: &str, rules: &[String], home: &Path) -> Self {
        let allowed = PermissionRules { allow: rules.to_vec(), ..PermissionRules::default() };
        let mut lists = Lists::default();
        for problem in lists.add(&allowed, by, None, home) {
            tracing::warn!(%problem, "an allowed tool cannot be read");
        }
        Self { by: by.to_owned(), rules: rules.to_vec(), lists: vec![Arc::new(lists)] }
    }

    /// Why the call may not run; `None` when it may.
    pub(crate) fn refuses(&self, call: &Call<'_>) -> Option<String> {
        let allowing = Layered { lists: &self.lists, part: Part::Allow, call };
        let allowed = match call.access {
            Access::Free | Access::Other { .. } => allowing.iter().next().is_some(),
            Access::Read { locations } | Access::Search { locations } | Access::Edit { locations } => {
                locations.iter().all(|location| {
                    allowing.iter().any(|sourced| sourced.allows_place(place(call, location)))
                })
            }
            Access::Execute { command, cwd } => {
                match coverage(&allowing, command, &shell::parse(command), cwd) {
                    Coverage::Covered(_) => true,
                    Coverage::Uncovered(_) => false,
                }
            }
        };
        (!allowed).then(|| format!("{} allows only {}", self.by, self.rules.join(", ")))
    }
}
