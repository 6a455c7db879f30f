//! What must hold in every run, whatever the test is about.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::Value;

use crate::launch::PLANTED;
use crate::project::Project;
use crate::transcript::Transcript;

/// Watches the notifications of one server process and collects what breaks a rule.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) violations: Vec<String>,
    next_seq: HashMap<String, u64>,
    /// Tool calls of each running turn: how often each started, ended and got its result.
    calls: HashMap<(String, String), BTreeMap<String, Call>>,
    progress: HashMap<String, Progress>,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Call {
    announced: u32,
    started: u32,
    ended: u32,
    results: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Created,
    Begun,
    Ended,
}

impl Checks {
    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Notes a progress token that the server asked for.
    pub(crate) fn progress_created(&mut self, token: &Value) {
        if self.progress.insert(token.to_string(), Progress::Created).is_some() {
            self.violation(format!("progress token {token} was created twice"));
        }
    }

    pub(crate) fn notification(&mut self, method: &str, params: &Value, custom: bool) {
        if method.starts_with("kit/") && !custom {
            self.violation(format!("{method} was sent to a client that does not offer it"));
        }
        match method {
            "kit/event" => self.event(params),
            "$/progress" => self.progress(params),
            _ => {}
        }
    }

    fn progress(&mut self, params: &Value) {
        let token = params["token"].to_string();
        let kind = params["value"]["kind"].as_str().unwrap_or_default();
        let before = self.progress.get(&token).copied();
        let after = match (before, kind) {
            // A token that the client itself gave needs no creation.
            (None | Some(Progress::Created), "begin") => Progress::Begun,
            (Some(Progress::Begun), "report") => Progress::Begun,
            (Some(Progress::Begun), "end") => Progress::Ended,
            (_, _) => {
                self.violation(format!("progress {token} goes from {before:?} to {kind:?}"));
                return;
            }
        };
        self.progress.insert(token, after);
    }

    fn event(&mut self, event: &Value) {
        let session = event["session"].as_str().unwrap_or_default().to_owned();
        let Some(seq) = event["seq"].as_u64() else {
            self.violation(format!("an event without seq: {event}"));
            return;
        };
        if let Some(expected) = self.next_seq.insert(session.clone(), seq + 1)
            && expected != seq
        {
            self.violation(format!("session {session}: seq {seq} follows {}", expected - 1));
        }
        let turn = (session, event["turn"].as_str().unwrap_or_default().to_owned());
        let id = event["toolCallId"].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str() {
            Some("tool_call") => self.call(&turn, &id).announced += 1,
            Some("tool_execution_start") => self.call(&turn, &id).started += 1,
            Some("tool_execution_end") => self.call(&turn, &id).ended += 1,
            Some("tool_result") => self.call(&turn, &id).results += 1,
            Some("turn_end") => {
                for (id, call) in self.calls.remove(&turn).unwrap_or_default() {
                    let paired = call.started == call.ended && call.started <= 1;
                    // A call that never started may still be answered for the model; one that did must be.
                    if !paired || call.results > 1 || call.results < call.started {
                        self.violation(format!("tool call {id} of turn {} ended as {call:?}", turn.1));
                    }
                }
            }
            Some(_) => {}
            None => self.violation(format!("an event without type: {event}")),
        }
    }

    fn call(&mut self, turn: &(String, String), id: &str) -> &mut Call {
        self.calls.entry(turn.clone()).or_default().entry(id.to_owned()).or_default()
    }

    /// Looks for planted secrets in the traffic, on standard error and in every file that the server keeps.
    pub(crate) fn secrets(&mut self, transcript: &Transcript, stderr: &str, kit_home: &Path) {
        for (name, secret) in PLANTED {
            if transcript.bodies().any(|body| body.contains(secret)) {
                self.violation(format!("the value of {name} was seen in the traffic"));
            }
            if stderr.contains(secret) {
                self.violation(format!("the value of {name} was printed to standard error"));
            }
            for (path, bytes) in Project::tree(kit_home) {
                if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                    self.violation(format!("the value of {name} was written to {}", path.display()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn violations(events: &[Value]) -> Vec<String> {
        let mut checks = Checks::default();
        events.iter().for_each(|event| checks.notification("kit/event", event, true));
        checks.violations
    }

    #[test]
    fn a_gap_in_a_session_is_seen_and_other_sessions_do_not_matter() {
        let event = |session: &str, seq: u64| json!({ "session": session, "seq": seq, "type": "queue" });
        let found = violations(&[event("a", 4), event("b", 1), event("a", 5), event("a", 7)]);
        assert_eq!(found, ["session a: seq 7 follows 5"]);
    }

    #[test]
    fn a_started_call_without_a_result_is_seen_at_the_end_of_its_turn() {
        let found = violations(&[
            json!({ "session": "a", "turn": "t", "seq": 1, "type": "tool_execution_start", "toolCallId": "c" }),
            json!({ "session": "a", "turn": "t", "seq": 2, "type": "turn_end" }),
        ]);
        assert_eq!(
            found,
            ["tool call c of turn t ended as Call { announced: 0, started: 1, ended: 0, results: 0 }"]
        );
    }

    #[test]
    fn progress_that_ends_twice_is_seen() {
        let mut checks = Checks::default();
        for kind in ["begin", "end", "end"] {
            checks.notification("$/progress", &json!({ "token": 1, "value": { "kind": kind } }), false);
        }
        assert_eq!(checks.violations, [r#"progress 1 goes from Some(Ended) to "end""#]);
    }
}
