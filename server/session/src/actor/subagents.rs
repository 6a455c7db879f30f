//! A parent's side: what its subagents inherit, and what it tells of them.
//!
//! Events of subagents are told in the parent's stream under its numbers. What they spend is counted here a second time
//! in the parent's own file, so that its totals survive without reading theirs; the day's spending has it once, and so has
//! the purse, from which subagents pay themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use kit_protocol::{AgentRef, EventBody, Part, Role, TextPart, TurnId, Usage};

use super::Actor;
use crate::journal::entry::{AgentNote, Body, Note, UsageNote};
use crate::journal::write::Durability;
use crate::op::Heritage;
use crate::subagent::relay::Relayed;
use crate::subagent::tool;

impl Actor {
    /// What a subagent gets from this session as it is now.
    pub(super) fn heritage(&self) -> Heritage {
        let tools: BTreeSet<String> = self.active_tools().filter(|name| name != tool::NAME).collect();
        Heritage {
            cwd: self.cwd.clone(),
            file: self.journal.path().to_owned(),
            mode: self.mode,
            model: self.model.clone(),
            thinking: self.thinking,
            tools,
            is_subagent: self.role.is_some(),
            nursery: Arc::clone(&self.nursery),
            purse: Arc::clone(&self.purse),
        }
    }

    /// The names of the tools that this session may use.
    pub(super) fn own_tools(&self) -> impl Iterator<Item = String> {
        let names = self.shared.with.tools.names();
        names.into_iter().filter(|name| self.has_tool(name))
    }

    /// The names of those that are not switched off.
    pub(super) fn active_tools(&self) -> impl Iterator<Item = String> {
        self.own_tools().filter(|name| self.is_enabled(name))
    }

    /// Whether this session may use a tool.
    pub(super) fn has_tool(&self, name: &str) -> bool {
        self.role.as_ref().is_none_or(|role| role.tools.contains(name))
    }

    /// Tells what subagents did.
    pub(super) async fn tell_relayed(&mut self) {
        let relay = Arc::clone(&self.nursery.relay);
        for Relayed { agent, turn, body } in relay.take() {
            if let EventBody::StepUsage(usage) = body {
                self.count(agent, turn, usage).await;
            } else {
                self.note_agent(&agent, turn.as_ref(), &body).await;
                self.stream.relay(agent, turn, body);
            }
        }
        self.post();
    }

    /// Keeps when a subagent begins and ends, so that it can be told again without its file.
    async fn note_agent(&mut self, agent: &AgentRef, turn: Option<&TurnId>, body: &EventBody) {
        if !matches!(body, EventBody::TurnStart { .. } | EventBody::TurnEnd { .. }) {
            return;
        }
        let note = AgentNote { agent: agent.clone(), turn: turn.cloned(), event: body.clone() };
        let entry = Body::from(&Note::Agent(note));
        // A session without messages has no file yet, and a subagent of a program is no reason to make one.
        if self.journal.history().records().is_empty() {
            self.repairs.push(entry);
        } else if let Err(error) = self.append(vec![entry], Durability::Written).await {
            tracing::error!(%error, "what a subagent does is not saved with its parent");
        }
    }

    /// Adds a call of a subagent to the totals, and tells it.
    async fn count(&mut self, agent: AgentRef, turn: Option<TurnId>, usage: Usage) {
        let usage = Usage { call: self.usage.next_call(), ..usage };
        let running = self.running.as_mut().filter(|running| turn.as_ref() == Some(running.machine.turn()));
        let waits = running.is_some();
        if let Some(running) = running {
            running.machine.usage.add(&usage);
        }
        let note = Note::Usage(UsageNote {
            turn: turn.clone().filter(|_| waits),
            agent: Some(agent.clone()),
            usage: usage.clone(),
        });
        if let Err(error) = self.append(vec![Body::from(&note)], Durability::Written).await {
            tracing::error!(%error, "what a subagent spent is not saved with its parent");
        }
        if waits {
            self.usage.add_of_subagent(usage.clone());
        } else {
            self.usage.add_aside(usage.clone());
        }
        self.stream.relay(agent, turn, EventBody::StepUsage(usage));
    }

    /// The messages that tell the model which background subagents are done.
    pub(super) fn subagent_news(&self) -> Vec<Body> {
        let news = self.nursery.news().into_iter();
        let texts = news.map(|(subagent, report)| {
            let name = subagent.agent().name.as_deref().unwrap_or("subagent");
            format!("<subagent id=\"{}\" name=\"{name}\">\n{}\n</subagent>", subagent.id(), report.text())
        });
        texts.map(|text| Body::message(Role::User, vec![Part::Text(TextPart { text })])).collect()
    }
}
