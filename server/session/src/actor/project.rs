//! What a session takes from the project: instructions and skills in its system prompt, the agents that its subagents can
//! run as, and skills that are active.
//!
//! Instructions and the lists of skills and agents are read once, when the first request is made, and then stay as they are, byte by
//! byte: a provider's cache works only on what does not change. Only when trust or settings change are they read again.
//! A skill is active from its activation until the turn ends.

use std::collections::BTreeSet;

use kit_protocol::{Message, Part};
use kit_tools::Definition;

use super::Actor;
use crate::activate_skill;
use crate::compose;
use crate::project::{instructions, skill};
use crate::subagent;

/// What the system prompt says of the project.
pub(super) struct Pinned {
    generation: u64,
    is_trusted: bool,
    instructions: String,
    catalogue: String,
    /// The skills that the model may activate.
    skills: Vec<String>,
    /// What the model reads about the agents that subagents can run as.
    agents: String,
}

impl Actor {
    /// What the system prompt says of the project, and the tools as they are told with it.
    pub(super) async fn project_section(&mut self, tools: Vec<Definition>) -> (String, Vec<Definition>) {
        let generation = self.shared.with.projects.generation();
        // Another process may have been told what to trust.
        let is_trusted = self.shared.is_trusted(&self.cwd).await;
        let holds = |pinned: &Pinned| pinned.generation == generation && pinned.is_trusted == is_trusted;
        if !self.pinned.as_ref().is_some_and(holds) {
            let library = self.shared.library(&self.cwd).await;
            let offered = library.skills.values().filter(|skill| !skill.for_user_only);
            self.pinned = Some(Pinned {
                generation,
                is_trusted,
                instructions: instructions::section(&library.instructions),
                catalogue: skill::catalogue(library.skills.values()),
                skills: offered.map(|skill| skill.name.clone()).collect(),
                agents: library.agents.description(),
            });
        }
        let Some(pinned) = &self.pinned else { return (String::new(), tools) };
        let mut section = pinned.instructions.clone();
        // An agent without the tool could do nothing with the list.
        if tools.iter().any(|tool| tool.name == activate_skill::NAME) {
            section.push_str(&pinned.catalogue);
        }
        let mut tools = activate_skill::offer(tools, &pinned.skills);
        for tool in tools.iter_mut().filter(|tool| tool.name == subagent::tool::NAME) {
            tool.description.push_str(&pinned.agents);
        }
        (section, tools)
    }

    /// Lets the skill that a prompt begins with narrow the turn.
    pub(super) async fn use_skill_of(&self, text: &str) {
        let Some(name) = compose::named_skill(text) else { return };
        let library = self.shared.library(&self.cwd).await;
        let Some(rules) = library.skills.get(&name).and_then(|skill| skill.allowed_tools.as_ref()) else {
            return;
        };
        let by = activate_skill::narrowed_by(&name);
        self.shared.with.policy.narrow(&self.session, &by, &activate_skill::with_itself(rules));
    }

    /// Whether the conversation holds the text of a skill already.
    pub(super) fn is_loaded(&self, name: &str) -> bool {
        let opening = skill::opening(name);
        texts(self.conversation.as_deref().unwrap_or_default()).any(|text| text.contains(&opening))
    }

    /// The beginnings of all blocks of instructions that the conversation holds.
    pub(super) fn told_instructions(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for text in texts(self.conversation.as_deref().unwrap_or_default()) {
            for (start, _) in text.match_indices(instructions::OPENING) {
                let opening = text.get(start..).and_then(|rest| rest.split_inclusive('>').next());
                found.extend(opening.map(str::to_owned));
            }
        }
        found
    }
}

/// The texts that tools, users and this program wrote.
fn texts(messages: &[Message]) -> impl Iterator<Item = &str> {
    messages.iter().flat_map(|message| &message.parts).filter_map(|part| match part {
        Part::Text(text) => Some(text.text.as_str()),
        Part::ToolResult(result) => Some(result.content.as_str()),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::Image(_) | Part::Finish(_) | Part::Unknown(_) => None,
    })
}
