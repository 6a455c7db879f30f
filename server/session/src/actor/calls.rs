//! Runs the tool calls of an answer: what a call is given, and what is looked at before and after it. What a subagent
//! asks, changes and lets extensions see is its parent's.

use std::sync::Arc;

use kit_protocol::{AgentRef, ToolCallId, ToolKind, TurnId};
use kit_tools::{Access, OutputSink, ToolContext, ToolOutput, run_call};
use tokio_util::sync::CancellationToken;

use super::Actor;
use super::afterwards::Afterwards;
use super::turn::short;
use crate::activate_skill;
use crate::desk::Onlooker;
use crate::subagent::Origin;
use crate::turn::CallNumber;

impl Actor {
    /// Runs a planned call, with what comes before and after it.
    pub(super) fn start_tool(&mut self, number: CallNumber) {
        let Some(running) = &self.running else { return };
        let Some(plan) = running.plans.get(number.0) else { return };
        let Some(tool) = plan.tool.clone() else { return };
        self.label = short(&plan.call.title);
        let part = plan.call.part.clone();
        let output = running.outputs.sink(&part.id, &part.name);
        let executes = running.outputs.executes(number);
        let cancel = running.cancel.child_token();
        let context = self.context(&running.machine.turn().clone(), &part.id, output, cancel);
        let desk = Arc::clone(&self.shared.with.desk);
        let projects = Arc::clone(&self.shared.with.projects);
        let by = context.attribution(plan.call.title.clone());
        let parsed = plan.call.parsed.as_ref();
        let loaded = parsed.filter(|_| tool.name() == activate_skill::NAME).map(activate_skill::name_in);
        let loaded = loaded.filter(|name| self.is_loaded(name)).map(str::to_owned);
        let access = parsed.and_then(|parsed| tool.access(parsed, &context).ok());
        let opaque = matches!(plan.call.kind, ToolKind::Execute | ToolKind::Other)
            && !matches!(access, Some(Access::Free));
        let later = running.plans.iter().skip(number.0 + 1);
        let afterwards = Afterwards {
            shared: Arc::clone(&self.shared),
            aftermath: running.aftermath.clone(),
            known: self.known.clone(),
            told: self.told_instructions(),
            kind: plan.call.kind,
            access,
            more_edits: later.map(|plan| plan.call.kind).any(|kind| kind == ToolKind::Edit),
        };
        let cancelled = context.cancel.clone();
        self.with_running(|running| {
            running.tools.start(number, async move {
                if let Some(name) = loaded {
                    executes();
                    return ToolOutput::text(format!("The skill \"{name}\" is already loaded."));
                }
                afterwards.prepare().await;
                let onlooker = match opaque {
                    true => Some(Onlooker::begin(Arc::clone(&desk), by).await),
                    false => None,
                };
                let mut output = run_call(tool, part.input, context, executes).await;
                if let Some(onlooker) = onlooker
                    && let Some(said) = onlooker.end(&projects).await
                {
                    output.content = format!("{}\n{said}", output.content.trim_end());
                }
                // Whoever hears of the result may review what it changed.
                desk.settled().await;
                afterwards.add(output, &cancelled).await
            });
        });
    }

    /// What a call is given, in whose name it runs included.
    pub(super) fn context(
        &self,
        turn: &TurnId,
        call: &ToolCallId,
        output: OutputSink,
        cancel: CancellationToken,
    ) -> ToolContext {
        // What a subagent asks and changes is its parent's.
        let origin = self.work.as_ref().map(|work| work.origin.clone()).unwrap_or_else(|| Origin {
            session: self.session.clone(),
            turn: turn.clone(),
            agent: AgentRef::main(),
        });
        ToolContext {
            workspace: Arc::clone(&self.shared.with.workspace),
            cwd: self.cwd.clone(),
            session: origin.session,
            worker: self.session.clone(),
            turn: origin.turn,
            call: call.clone(),
            agent: origin.agent,
            output,
            cancel,
            policy: Arc::clone(&self.shared.with.policy),
            mode: self.mode,
            settings: Arc::clone(&self.setup().tool_settings),
            gate: self.gate(turn.clone()),
        }
    }
}
