//! `update_plan`: the agent keeps a plan of its work that the user watches.
//!
//! A call replaces the whole plan of the session that makes it; a subagent's is its own. It reaches nothing outside of
//! the agent, so it is never asked about and may be called in every mode. The session saves the plan before it is told,
//! and a summary of the conversation carries it on.

use std::borrow::Cow;
use std::sync::{Arc, Weak};

use kit_protocol::{PlanEntry, PlanStatus, StatusPlan, ToolKind};
use kit_tools::{Access, Definition, Tool, ToolContext, ToolError, ToolOutput};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sessions::Sessions;

/// The name that models call.
pub(crate) const NAME: &str = "update_plan";
/// How many steps a plan has at most.
const MOST_ENTRIES: usize = 100;
/// How long a step is at most, in bytes.
const LONGEST_ENTRY: usize = 1_000;

/// What the system text says about it.
pub(crate) const INSTRUCTIONS: &str = "\n# Plan\n\nFor work of several steps keep a plan with `update_plan`, and \
update it whenever a step begins or is done; the user watches it. Work of one or two steps needs none.\n";

/// The tool.
pub(crate) struct UpdatePlan {
    sessions: Weak<Sessions>,
}

impl UpdatePlan {
    pub(crate) fn new(sessions: &Arc<Sessions>) -> Self {
        Self { sessions: Arc::downgrade(sessions) }
    }
}

/// Arguments of `update_plan`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdatePlanInput {
    /// All steps in order, also those that are done; an empty list takes the plan away.
    entries: Vec<PlanEntry>,
}

impl UpdatePlanInput {
    fn checked(&self) -> Result<(), ToolError> {
        let wrong = |text: String| Err(ToolError::Arguments(text));
        if self.entries.len() > MOST_ENTRIES {
            return wrong(format!("entries: a plan has at most {MOST_ENTRIES} steps; put some together"));
        }
        for (number, entry) in self.entries.iter().enumerate() {
            if entry.content.trim().is_empty() {
                return wrong(format!("entries[{number}].content: it is empty"));
            }
            if entry.content.len() > LONGEST_ENTRY {
                return wrong(format!("entries[{number}].content: it has more than {LONGEST_ENTRY} bytes"));
            }
        }
        Ok(())
    }
}

impl Tool for UpdatePlan {
    type Input = UpdatePlanInput;
    const NAME: &'static str = NAME;

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Replace the plan of your work, which the user sees. Send all steps each time, with the one that you work \
             on as in_progress.",
        )
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Other
    }

    fn parallel(&self) -> bool {
        // Of several calls in one answer the last one holds.
        false
    }

    fn title(&self, input: &UpdatePlanInput, _context: &ToolContext) -> String {
        StatusPlan::of(&input.entries).map_or_else(|| "No plan".to_owned(), |plan| title(&plan))
    }

    fn access(&self, input: &UpdatePlanInput, _context: &ToolContext) -> Result<Access, ToolError> {
        input.checked()?;
        Ok(Access::Free)
    }

    async fn run(&self, input: UpdatePlanInput, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let Some(sessions) = self.sessions.upgrade() else { return Err(ToolError::Cancelled) };
        let told = StatusPlan::of(&input.entries).map_or_else(
            || "The plan is taken away.".to_owned(),
            |plan| format!("The plan is updated: {} of {} done.", plan.completed, plan.total),
        );
        let set = sessions.set_plan(&context.worker, input.entries).await;
        set.map_err(|error| ToolError::Failed(error.message))?;
        Ok(ToolOutput::text(told))
    }
}

fn title(plan: &StatusPlan) -> String {
    let current = plan.current.as_deref().map(|step| format!(": {step}")).unwrap_or_default();
    format!("Plan {}/{}{current}", plan.completed, plan.total)
}

/// Whether the tool is among those that a model is offered.
pub(crate) fn is_offered(definitions: &[Definition]) -> bool {
    definitions.iter().any(|definition| definition.name == NAME)
}

/// The plan as it follows a summary, whose model no longer reads the call that made it; empty for one that is done.
pub(crate) fn tag(entries: &[PlanEntry]) -> String {
    if StatusPlan::of(entries).is_none_or(|plan| plan.current.is_none()) {
        return String::new();
    }
    let line = |entry: &PlanEntry| {
        let status = match entry.status {
            PlanStatus::Pending => "pending",
            PlanStatus::InProgress => "in_progress",
            PlanStatus::Completed => "completed",
        };
        format!("{status}: {}\n", entry.content.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    format!("\n\n<plan>\n{}</plan>", entries.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(content: &str, status: PlanStatus) -> PlanEntry {
        PlanEntry { content: content.to_owned(), status, priority: None }
    }

    #[test]
    fn a_plan_that_nobody_could_read_is_refused_and_says_where() {
        let check = |entries: Vec<PlanEntry>, expected: Option<&str>| {
            let refused = UpdatePlanInput { entries }.checked().err().map(|error| error.to_string());
            assert_eq!(refused.as_deref(), expected);
        };
        let pending = |content: &str| entry(content, PlanStatus::Pending);
        check(Vec::new(), None);
        check(vec![pending("a"); MOST_ENTRIES], None);
        check(
            vec![pending("a"); MOST_ENTRIES + 1],
            Some("invalid arguments: entries: a plan has at most 100 steps; put some together"),
        );
        check(vec![pending("a"), pending(" ")], Some("invalid arguments: entries[1].content: it is empty"));
        check(
            vec![pending(&"x".repeat(LONGEST_ENTRY + 1))],
            Some("invalid arguments: entries[0].content: it has more than 1000 bytes"),
        );
    }

    #[test]
    fn a_plan_follows_a_summary_until_it_is_done() {
        let plan = [entry("look\naround", PlanStatus::Completed), entry("mend", PlanStatus::InProgress)];
        assert_eq!(tag(&plan), "\n\n<plan>\ncompleted: look around\nin_progress: mend\n</plan>");
        assert_eq!(tag(&plan[..1]), "");
        assert_eq!(tag(&[]), "");
    }
}
