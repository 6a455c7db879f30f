use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::{Denial, Mode, ToolKind};
use kit_tools::{CallGate, GatedCall, Passage, ToolOutput};
use serde_json::json;

use crate::desk::{Answer, Desk, failed, succeeded};

/// Stops commands that say so, and signs what ran.
#[derive(Default)]
struct Porter {
    seen: Mutex<Vec<GatedCall>>,
}

impl CallGate for Porter {
    fn before(&self, call: GatedCall) -> BoxFuture<'_, Passage> {
        let forbidden = call.arguments.contains("forbidden");
        self.seen.lock().unwrap().push(call);
        async move {
            if forbidden { Passage::Closed { reason: "not here".to_owned() } } else { Passage::Open }
        }
        .boxed()
    }

    fn after(&self, _call: GatedCall, output: ToolOutput) -> BoxFuture<'_, ToolOutput> {
        async move { ToolOutput::text(format!("{}, signed", output.content)) }.boxed()
    }
}

/// Never answers.
struct Sleeper;

impl CallGate for Sleeper {
    fn before(&self, _call: GatedCall) -> BoxFuture<'_, Passage> {
        std::future::pending().boxed()
    }

    fn after(&self, _call: GatedCall, output: ToolOutput) -> BoxFuture<'_, ToolOutput> {
        std::future::ready(output).boxed()
    }
}

#[tokio::test]
async fn a_gate_stops_a_call_before_the_user_is_asked() {
    let mut desk = Desk::with_rules(Mode::Edit, &[]);
    let porter = Arc::new(Porter::default());
    desk.context.gate = Some(porter.clone());
    let output = desk.call("bash", json!({ "command": "touch forbidden" })).await;
    assert_eq!(output.metadata.denied, Some(Denial::DeniedByExtension));
    assert_eq!(failed(output), "Error: not here");
    assert!(desk.questions().is_empty() && !desk.path("forbidden").exists());
    let arguments = json!({ "command": "touch forbidden" });
    let call = GatedCall {
        id: "c1".into(),
        name: "bash".to_owned(),
        kind: ToolKind::Execute,
        arguments: arguments.to_string(),
        parsed: arguments,
    };
    assert_eq!(*porter.seen.lock().unwrap(), [call]);
}

#[tokio::test]
async fn a_gate_changes_what_the_model_reads_and_no_fact() {
    let mut desk = Desk::with_rules(Mode::Edit, &[]);
    desk.context.gate = Some(Arc::new(Porter::default()));
    desk.answer(Answer::Option("allow-once"));
    assert_eq!(succeeded(desk.call("bash", json!({ "command": "echo ran" })).await), "ran, signed");
    assert_eq!(desk.questions().len(), 1);
    let written = desk.call("write", json!({ "path": "a", "content": "x" })).await;
    assert_eq!(written.metadata.file_diffs.len(), 1);
    assert!(succeeded(written).ends_with(", signed"));
}

#[tokio::test]
async fn what_the_rules_deny_reaches_no_gate() {
    let mut desk = Desk::with_rules(Mode::Plan, &[]);
    let porter = Arc::new(Porter::default());
    desk.context.gate = Some(porter.clone());
    let output = desk.call("bash", json!({ "command": "touch made" })).await;
    assert_eq!(output.metadata.denied, Some(Denial::DeniedByRules));
    assert_eq!(*porter.seen.lock().unwrap(), []);
}

#[tokio::test]
async fn a_cancel_does_not_wait_for_a_gate() {
    let mut desk = Desk::new();
    desk.context.gate = Some(Arc::new(Sleeper));
    let call = desk.call("bash", json!({ "command": "touch made" }));
    let mut call = std::pin::pin!(call);
    assert!(futures::poll!(&mut call).is_pending());
    desk.context.cancel.cancel();
    assert_eq!(failed(call.await), "cancelled by the user");
    assert!(!desk.path("made").exists());
}
