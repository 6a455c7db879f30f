//! The `activate_skill` tool: brings the text of a skill into the conversation.
//!
//! The skill is read again at that moment, from what holds for the session's folder then. Its `allowed-tools` narrow the
//! session that activated it, be it a subagent's, until its turn ends. A skill that lies outside of the workspace may be
//! read from then on, since its text speaks of files beside it.

use std::borrow::Cow;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{PermissionScope, ToolKind};
use kit_tools::{Access, AnyTool, Definition, Effect, ToolContext, ToolError, ToolOutput};
use serde_json::{Value, json};

use crate::near;
use crate::project::skill::Skill;
use crate::project::{Origin, Projects};
use crate::update_plan;

/// The name that models call.
pub(crate) const NAME: &str = "activate_skill";

/// The tool.
pub(crate) struct ActivateSkill {
    projects: Arc<Projects>,
}

impl ActivateSkill {
    pub(crate) fn new(projects: Arc<Projects>) -> Self {
        Self { projects }
    }

    async fn activate(&self, arguments: &str, context: ToolContext) -> Result<ToolOutput, ToolError> {
        let arguments: Value = serde_json::from_str(arguments).unwrap_or_default();
        let name = name_in(&arguments);
        if name.is_empty() {
            return Err(ToolError::Arguments("name is required".to_owned()));
        }
        let (projects, cwd, wanted) = (Arc::clone(&self.projects), context.cwd.clone(), name.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            let library = projects.load(&cwd);
            let offered = library.skills.values().filter(|skill| !skill.for_user_only);
            let known: Vec<String> = offered.map(|skill| skill.name.clone()).collect();
            let skill = library.skills.get(&wanted).filter(|skill| !skill.for_user_only).cloned();
            let content = skill.as_ref().map(|skill| projects.skill_content(skill));
            (skill.zip(content), known)
        });
        let (found, known) = found.await.map_err(|error| ToolError::Failed(error.to_string()))?;
        let Some((skill, content)) = found else {
            let hint = near::hint(name, known.iter().map(String::as_str));
            return Err(ToolError::Failed(format!("unknown skill \"{name}\"{hint}")));
        };
        take_effect(&skill, &context);
        Ok(ToolOutput::text(content))
    }
}

/// Lets the skill narrow the session, and lets its files be read.
fn take_effect(skill: &Skill, context: &ToolContext) {
    if let Some(rules) = &skill.allowed_tools {
        context.policy.narrow(&context.worker, &narrowed_by(&skill.name), &with_itself(rules));
    }
    if skill.origin == Origin::Project {
        return;
    }
    let Some(folder) = skill.path.parent().map(|folder| folder.to_string_lossy().into_owned()) else {
        return;
    };
    if folder.contains(['*', '?', '[', '{', '\\']) {
        // As a glob it would mean other folders; reading there asks.
        return;
    }
    let rule = format!("Read({folder}/**)");
    let remembered = context.policy.remember(
        &context.session,
        &context.cwd,
        PermissionScope::Session,
        Effect::Allow,
        &rule,
    );
    if let Err(error) = remembered {
        tracing::warn!(%error, rule, "reading a skill's files asks");
    }
}

/// Who narrows, as a refusal says it.
pub(crate) fn narrowed_by(name: &str) -> String {
    format!("the active skill `{name}`")
}

/// The rules of a skill; it never takes away the tool by which others are activated, nor the one that only tells what
/// is done.
pub(crate) fn with_itself(rules: &[String]) -> Vec<String> {
    rules.iter().cloned().chain([NAME, update_plan::NAME].map(str::to_owned)).collect()
}

/// Which skill a call means.
pub(crate) fn name_in(arguments: &Value) -> &str {
    arguments.get("name").and_then(Value::as_str).unwrap_or_default().trim()
}

/// What a model is told about the tool, with the names that it may choose from.
pub(crate) fn offer(definitions: Vec<Definition>, skills: &[String]) -> Vec<Definition> {
    definitions
        .into_iter()
        .filter(|definition| definition.name != NAME || !skills.is_empty())
        .map(|definition| {
            if definition.name != NAME {
                return definition;
            }
            Definition { input_schema: schema(Some(skills)), ..definition }
        })
        .collect()
}

fn schema(names: Option<&[String]>) -> Value {
    let description = "The skill, by its name in the list of skills.";
    let name = match names {
        Some(names) => json!({ "type": "string", "description": description, "enum": names }),
        None => json!({ "type": "string", "description": description }),
    };
    json!({
        "type": "object",
        "properties": { "name": name },
        "required": ["name"],
        "additionalProperties": false,
    })
}

impl AnyTool for ActivateSkill {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(NAME)
    }

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(
            "Brings the instructions of a skill into the conversation. Call it before you begin a task that fits the \
             description of a skill. A skill that is loaded already need not be activated again.",
        )
    }

    fn input_schema(&self) -> Value {
        schema(None)
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Read
    }

    fn parallel(&self) -> bool {
        // What it allows must hold for the calls behind it.
        false
    }

    fn title(&self, arguments: &Value, _context: &ToolContext) -> String {
        format!("Skill {}", name_in(arguments))
    }

    fn access(&self, _arguments: &Value, _context: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Free)
    }

    fn call(&self, arguments: String, context: ToolContext) -> BoxFuture<'_, ToolOutput> {
        async move { self.activate(&arguments, context).await.unwrap_or_else(ToolOutput::from) }.boxed()
    }
}
