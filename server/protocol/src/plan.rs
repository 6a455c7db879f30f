//! The plan that an agent keeps of its work, for the user to watch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a step of the plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Not begun.
    Pending,
    /// Worked on right now.
    InProgress,
    /// Done.
    Completed,
}

/// How much a step matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanPriority {
    /// The task fails without it.
    High,
    /// As usual.
    Medium,
    /// It can be left out.
    Low,
}

/// One step of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanEntry {
    /// What is to be done.
    pub content: String,
    /// How far it is.
    pub status: PlanStatus,
    /// How much it matters; as usual when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<PlanPriority>,
}

/// The plan in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusPlan {
    /// Steps that are done.
    pub completed: u32,
    /// All steps.
    pub total: u32,
    /// The step that is worked on, or else the first one that is not begun; absent when all are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
}

impl StatusPlan {
    /// A plan in numbers; `None` for one without steps.
    pub fn of(entries: &[PlanEntry]) -> Option<Self> {
        let count = |entries: usize| u32::try_from(entries).unwrap_or(u32::MAX);
        let with = |status: PlanStatus| entries.iter().filter(move |entry| entry.status == status);
        let current = with(PlanStatus::InProgress).chain(with(PlanStatus::Pending)).next();
        (!entries.is_empty()).then(|| Self {
            completed: count(with(PlanStatus::Completed).count()),
            total: count(entries.len()),
            current: current.map(|entry| entry.content.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_by_what_is_done_and_what_comes_next() {
        let check = |steps: &[PlanStatus], expected: Option<(u32, u32, Option<&str>)>| {
            let entry = |(number, status): (usize, &PlanStatus)| PlanEntry {
                content: number.to_string(),
                status: *status,
                priority: None,
            };
            let entries: Vec<PlanEntry> = steps.iter().enumerate().map(entry).collect();
            let told = StatusPlan::of(&entries);
            let told = told.as_ref().map(|plan| (plan.completed, plan.total, plan.current.as_deref()));
            assert_eq!(told, expected, "{steps:?}");
        };
        use PlanStatus::{Completed, InProgress, Pending};
        check(&[], None);
        check(&[Pending], Some((0, 1, Some("0"))));
        check(&[Completed, Pending, InProgress], Some((1, 3, Some("2"))));
        check(&[Completed, Pending, Pending], Some((1, 3, Some("1"))));
        check(&[Completed, Completed], Some((2, 2, None)));
    }
}
