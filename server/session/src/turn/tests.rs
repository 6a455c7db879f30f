use std::collections::{BTreeMap, BTreeSet};

use kit_protocol::{CostKind, ReasoningPart, ToolCallPart, ToolKind, ToolResultPart};
use kit_provider::{Cost, TokenCounts};
use proptest::prelude::*;

use super::*;
use crate::hooks::Injection;

fn machine(max_steps: Option<u32>) -> Machine {
    Machine::new(Plan {
        turn: "t1".into(),
        prompt: "go".into(),
        started: Millis(1000),
        max_steps,
        repeated: Thresholds { note: 3, ask: 4 },
        intercepted: false,
    })
}

fn spent(output: u64) -> Spent {
    Spent {
        model: "scripted/x".parse().unwrap(),
        tokens: TokenCounts { input: 10, output, ..TokenCounts::default() },
        cost: Cost { micros: Some(output), kind: CostKind::Priced },
        finish_reason: None,
        request_id: None,
    }
}

fn call(number: usize, parallel: bool, refused: bool) -> PlannedCall {
    PlannedCall {
        number: CallNumber(number),
        part: ToolCallPart {
            id: format!("c{number}").as_str().into(),
            name: if parallel { "read" } else { "edit" }.into(),
            input: "{}".into(),
            finished: !refused,
        },
        kind: if parallel { ToolKind::Read } else { ToolKind::Edit },
        title: String::new(),
        parsed: None,
        parallel,
        refusal: refused.then(|| "cut off".to_owned()),
    }
}

fn answer(text: &str, calls: Vec<PlannedCall>) -> Input {
    let stop = if calls.is_empty() { StopReason::EndTurn } else { StopReason::ToolUse };
    answer_with(text, stop, calls)
}

fn answer_with(text: &str, stop: StopReason, calls: Vec<PlannedCall>) -> Input {
    let text_part = (!text.is_empty()).then(|| Part::Text(TextPart { text: text.into() }));
    let parts =
        text_part.into_iter().chain(calls.iter().map(|call| Part::ToolCall(call.part.clone()))).collect();
    let message = Message { role: Role::Assistant, parts };
    Input::Answered(Box::new(Answer { message, stop, spent: spent(3), calls }))
}

fn done(number: usize) -> Input {
    Input::ToolDone(
        CallNumber(number),
        ToolOutcome { content: "ok".into(), media: [].into(), is_error: false, metadata: None },
    )
}

fn executes(number: usize) -> Input {
    Input::ToolExecutes(CallNumber(number))
}

fn failure(retry: bool) -> Input {
    Input::Failed(Failure {
        kind: ErrorKind::Unavailable,
        message: "cut".into(),
        retry: retry.then_some(RetryPlan { attempt: 1, after: Duration::from_secs(4) }),
        spent: None,
    })
}

/// One word per effect, with what matters of it.
fn words(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(word).collect()
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Persist(bodies, durability) => {
            let names: Vec<String> = bodies.iter().map(body_word).collect();
            let synced = if *durability == Durability::Synced { "!" } else { "" };
            format!("persist{synced} {}", names.join("+"))
        }
        Effect::Emit(body) => {
            let value = serde_json::to_value(body).unwrap();
            let kind = value["type"].as_str().unwrap_or_default().to_owned();
            let detail =
                ["toolCallId", "content", "stopReason", "chunk"].iter().find_map(|name| value[name].as_str());
            detail.map_or(kind.clone(), |detail| format!("{kind} {detail}"))
        }
        Effect::Spend(_) => "spend".into(),
        Effect::Intercept => "intercept".into(),
        Effect::DropInterceptors => "drop interceptors".into(),
        Effect::Open(Opening::Prompt { text: None, .. }) => "open".into(),
        Effect::Open(Opening::Prompt { text: Some(text), .. }) => format!("open {text}"),
        Effect::Open(Opening::Handled(_)) => "open handled".into(),
        Effect::Join => "join".into(),
        Effect::CallModel => "call".into(),
        Effect::DropModel => "drop".into(),
        Effect::WaitForRetry(after) => format!("wait {}", after.as_secs()),
        Effect::StartTool(number) => format!("start {}", number.0),
        Effect::CancelTools => "cancel".into(),
        Effect::AbortTools => "abort".into(),
        Effect::Finish => "finish".into(),
    }
}

fn body_word(body: &Body) -> String {
    match (body, body.note()) {
        (Body::Message { role, parts, .. }, _) => {
            let result = parts.iter().find_map(|part| match part {
                Part::ToolResult(ToolResultPart { tool_call_id, .. }) => Some(format!(" {tool_call_id}")),
                Part::Text(_)
                | Part::Reasoning(ReasoningPart { .. })
                | Part::ToolCall(_)
                | Part::Image(_)
                | Part::Finish(_)
                | Part::Unknown(_) => None,
            });
            format!("{role:?}{}", result.unwrap_or_default()).to_lowercase()
        }
        (_, Some(Note::Tool(_))) => "tool-note".into(),
        (_, Some(Note::TurnEnd(_))) => "turn-end".into(),
        (other, _) => format!("{other:?}"),
    }
}

/// Feeds the inputs and compares the words of all effects of the last one.
fn check(max_steps: Option<u32>, inputs: Vec<Input>, expected: &[&str]) {
    let mut machine = machine(max_steps);
    let mut last = Vec::new();
    for input in inputs {
        last = machine.on(Millis(1500), input);
    }
    assert_eq!(words(&last), expected);
}

#[test]
fn an_answer_without_calls_ends_the_turn() {
    check(
        None,
        vec![Input::Begin, Input::Connected, Input::Text("Hi".into()), answer("Hi", vec![])],
        &[
            "persist assistant",
            "message_end Hi",
            "spend",
            "persist! turn-end",
            "response Hi",
            "turn_end end_turn",
            "finish",
        ],
    );
}

#[test]
fn the_first_text_opens_the_message() {
    check(None, vec![Input::Begin], &["turn_start", "join", "call"]);
    check(None, vec![Input::Begin, Input::Text("Hi".into())], &["message_start", "message_update Hi"]);
    check(None, vec![Input::Begin, Input::Connected, Input::Text("Hi".into())], &["message_update Hi"]);
}

#[test]
fn reads_run_together_and_an_edit_waits_for_them() {
    let calls = vec![call(0, true, false), call(1, true, false), call(2, false, false)];
    let begin = vec![Input::Begin, answer("Look", calls)];
    check(
        None,
        begin.clone(),
        &[
            "message_start",
            "persist assistant",
            "message_end Look",
            "tool_call_content Look",
            "spend",
            "tool_call c0",
            "tool_call c1",
            "tool_call c2",
            "start 0",
            "start 1",
        ],
    );
    let begin = [begin, vec![executes(0), executes(1)]].concat();
    check(None, begin.clone(), &["tool_execution_start c1"]);
    let settled = ["persist tool c1+tool-note", "tool_execution_end c1", "tool_result c1"];
    check(None, [begin.clone(), vec![done(1)]].concat(), &settled);
    check(
        None,
        [begin.clone(), vec![done(1), done(0)]].concat(),
        &["persist tool c0+tool-note", "tool_execution_end c0", "tool_result c0", "start 2"],
    );
    check(
        None,
        [begin.clone(), vec![done(1), done(0), executes(2), done(2)]].concat(),
        &["persist tool c2+tool-note", "tool_execution_end c2", "tool_result c2", "join", "call"],
    );
    check(None, [begin, vec![done(2)]].concat(), &[]);
}

#[test]
fn a_call_that_was_not_permitted_is_never_said_to_execute() {
    check(
        None,
        vec![Input::Begin, answer("", vec![call(0, false, false)]), done(0)],
        &["persist tool c0+tool-note", "tool_result c0", "join", "call"],
    );
}

#[test]
fn a_truncated_call_is_answered_without_being_run() {
    check(
        None,
        vec![
            Input::Begin,
            Input::Connected,
            answer_with("", StopReason::MaxTokens, vec![call(0, false, true)]),
        ],
        &[
            "persist assistant",
            "message_end ",
            "spend",
            "tool_call c0",
            "persist tool c0+tool-note",
            "tool_result c0",
            "join",
            "call",
        ],
    );
}

#[test]
fn endless_truncation_ends_the_turn() {
    let truncated = || answer_with("", StopReason::MaxTokens, vec![call(0, false, true)]);
    let mut machine = machine(None);
    machine.on(Millis(0), Input::Begin);
    machine.on(Millis(0), truncated());
    machine.on(Millis(0), truncated());
    let last = words(&machine.on(Millis(0), truncated()));
    assert_eq!(last[last.len() - 2..], ["turn_end max_tokens", "finish"]);
}

#[test]
fn the_step_limit_ends_the_turn_after_its_calls() {
    check(
        Some(1),
        vec![Input::Begin, answer("", vec![call(0, true, false)]), executes(0), done(0)],
        &[
            "persist tool c0+tool-note",
            "tool_execution_end c0",
            "tool_result c0",
            "persist! turn-end",
            "turn_end max_steps",
            "finish",
        ],
    );
}

#[test]
fn a_retry_takes_back_what_was_shown() {
    let shown = vec![Input::Begin, Input::Text("Hal".into()), failure(true)];
    check(None, shown.clone(), &["stream_reset", "retry", "wait 4"]);
    check(None, vec![Input::Begin, Input::Connected, failure(true)], &["retry", "wait 4"]);
    check(None, [shown.clone(), vec![Input::RetryDue]].concat(), &["call"]);
    let again = vec![Input::RetryDue, Input::Text("Hello".into())];
    check(None, [shown, again].concat(), &["message_update Hello"]);
}

#[test]
fn a_final_failure_keeps_the_shown_text_and_names_the_error() {
    check(
        None,
        vec![Input::Begin, Input::Text("Hal".into()), failure(false)],
        &["persist assistant", "message_end Hal", "persist! turn-end", "error", "turn_end error", "finish"],
    );
}

#[test]
fn cancel_during_an_answer_drops_it_and_counts_what_it_cost() {
    check(
        None,
        vec![Input::Begin, Input::Text("Hal".into()), Input::Cancel(Some(spent(1)))],
        &[
            "drop",
            "spend",
            "persist assistant",
            "message_end Hal",
            "persist! turn-end",
            "turn_end cancelled",
            "finish",
        ],
    );
}

#[test]
fn cancel_during_calls_answers_each_of_them() {
    let calls = vec![call(0, false, false), call(1, false, false)];
    let begin = vec![Input::Begin, answer("", calls), executes(0), Input::Cancel(None)];
    check(None, begin.clone(), &["cancel", "persist tool c1+tool-note", "tool_result c1"]);
    let end = ["persist! turn-end", "turn_end cancelled", "finish"];
    let settled = ["persist tool c0+tool-note", "tool_execution_end c0", "tool_result c0"];
    check(None, [begin.clone(), vec![done(0)]].concat(), &[&settled[..], &end].concat());
    check(None, [begin, vec![Input::Deadline]].concat(), &[&["abort"], &settled[..], &end].concat());
}

#[test]
fn a_prompt_that_comes_while_the_model_ends_still_joins() {
    check(
        None,
        vec![Input::Begin, Input::Steered, answer("Done", vec![])],
        &["message_start", "persist assistant", "message_end Done", "spend", "join", "call"],
    );
}

#[test]
fn a_file_that_cannot_be_written_ends_the_turn() {
    check(
        None,
        vec![Input::Begin, Input::Unsaved("disk full".into())],
        &["drop", "persist! turn-end", "error", "turn_end error", "finish"],
    );
}

#[test]
fn usage_is_told_per_step_and_summed() {
    let mut machine = machine(None);
    let mut usages = Vec::new();
    for input in [Input::Begin, answer("", vec![call(0, true, false)]), done(0), answer("x", vec![])] {
        for effect in machine.on(Millis(1500), input) {
            if let Effect::Spend(usage) = effect {
                usages.push((usage.step, usage.output_tokens));
            }
        }
    }
    assert_eq!(usages, [(0, 3), (1, 3)]);
    assert_eq!((machine.usage.output_tokens, machine.usage.cost_micros), (6, Some(6)));
}

fn intercepted() -> Machine {
    let mut machine = machine(None);
    machine.plan.intercepted = true;
    assert_eq!(words(&machine.on(Millis(1000), Input::Begin)), ["turn_start", "intercept"]);
    machine
}

#[test]
fn a_prompt_is_saved_as_its_interceptors_leave_it() {
    let rewritten = Opening::Prompt { text: Some("stop".into()), injection: Injection::default() };
    let mut machine = intercepted();
    assert_eq!(machine.on(Millis(1500), Input::Steered), []);
    let opened = machine.on(Millis(1500), Input::Intercepted(rewritten.clone()));
    assert_eq!(words(&opened), ["open stop", "join", "call"]);
    assert_eq!(machine.on(Millis(1500), Input::Intercepted(rewritten)), []);
}

#[test]
fn a_prompt_that_was_handled_ends_its_turn_before_any_call() {
    let mut machine = intercepted();
    let last = machine.on(Millis(1500), Input::Intercepted(Opening::Handled(Some("Done".into()))));
    let expected = [
        "open handled",
        "message_start",
        "message_update Done",
        "message_end Done",
        "persist! turn-end",
        "response Done",
        "turn_end end_turn",
        "finish",
    ];
    assert_eq!(words(&last), expected);
    assert_eq!(words(&machine.on(Millis(1500), Input::Connected)), [""; 0]);
}

#[test]
fn a_cancel_does_not_wait_for_interceptors() {
    let mut machine = intercepted();
    let last = words(&machine.on(Millis(1500), Input::Cancel(None)));
    assert_eq!(last, ["drop interceptors", "open", "persist! turn-end", "turn_end cancelled", "finish"]);
}

/// The owner of a machine as the tests play it: it knows what is under way, and checks every effect.
#[derive(Default)]
struct Owner {
    intercepting: bool,
    calling: bool,
    waiting: bool,
    running: BTreeMap<usize, bool>,
    parallel: BTreeMap<usize, bool>,
    cancelling: bool,
    finished: bool,
    /// Whether the beginning of the turn is saved.
    opened: bool,
    persisted_results: BTreeSet<String>,
    announced: Vec<String>,
    results: Vec<String>,
    open_executions: BTreeSet<String>,
    answers: usize,
}

impl Owner {
    fn perform(&mut self, effects: Vec<Effect>) -> Result<(), TestCaseError> {
        for effect in effects {
            prop_assert!(!self.finished, "{} after the end", word(&effect));
            match effect {
                Effect::Persist(bodies, _) => {
                    for body in &bodies {
                        let Body::Message { parts, .. } = body else { continue };
                        for part in parts {
                            if let Part::ToolResult(result) = part {
                                let id = format!("{}#{}", result.tool_call_id, self.answers);
                                prop_assert!(self.persisted_results.insert(id), "a second result");
                            }
                        }
                    }
                }
                Effect::Emit(body) => self.emitted(body)?,
                Effect::Join | Effect::Spend(_) => prop_assert!(!self.intercepting),
                Effect::Intercept => self.intercepting = true,
                Effect::DropInterceptors => self.intercepting = false,
                Effect::Open(_) => {
                    prop_assert!(!self.intercepting, "opened while interceptors run");
                    prop_assert!(!std::mem::replace(&mut self.opened, true), "opened twice");
                }
                Effect::CallModel => {
                    prop_assert!(!self.calling && self.running.is_empty() && self.opened);
                    prop_assert_eq!(
                        &self.announced,
                        &self.results,
                        "a call without a result goes to the model"
                    );
                    self.calling = true;
                    self.waiting = false;
                }
                Effect::DropModel => self.calling = false,
                Effect::WaitForRetry(_) => self.waiting = true,
                Effect::StartTool(number) => {
                    prop_assert!(!self.cancelling);
                    let parallel = self.parallel[&number.0];
                    self.running.insert(number.0, parallel);
                    let alone = self.running.len() == 1;
                    prop_assert!(alone || self.running.values().all(|parallel| *parallel));
                    prop_assert!(self.running.len() <= PARALLEL_CALLS);
                }
                Effect::CancelTools => self.cancelling = true,
                Effect::AbortTools => self.running.clear(),
                Effect::Finish => self.finished = true,
            }
        }
        Ok(())
    }

    fn emitted(&mut self, body: EventBody) -> Result<(), TestCaseError> {
        if let EventBody::TurnEnd { .. } = body {
            prop_assert_eq!(&self.announced, &self.results);
            prop_assert!(self.open_executions.is_empty());
        }
        let event = serde_json::to_value(&body).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let id = event["toolCallId"].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str() {
            Some("tool_call") => self.announced.push(id),
            Some("tool_execution_start") => prop_assert!(self.open_executions.insert(id)),
            Some("tool_execution_end") => prop_assert!(self.open_executions.remove(&id)),
            Some("tool_result") => {
                let saved = self.persisted_results.contains(&format!("{id}#{}", self.answers));
                prop_assert!(saved, "announced before it was saved");
                self.results.push(id);
                self.results.sort();
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// An input that may come now, chosen by `choice`, or one that comes too late.
    fn input(&mut self, choice: u8, detail: u8) -> Input {
        let stray = [
            done(usize::from(detail % 7)),
            executes(usize::from(detail % 7)),
            Input::RetryDue,
            Input::Deadline,
            Input::Text("late".into()),
            failure(true),
            Input::Begin,
            Input::Steered,
            Input::Unsteered,
            // Nothing is paid for a turn whose prompt is not saved yet.
            if self.intercepting { Input::Unsteered } else { Input::Spent(Box::new(spent(1))) },
            Input::Stop("enough".into()),
        ];
        if self.intercepting && choice % 10 > 4 {
            self.intercepting = false;
            return Input::Intercepted(match detail % 3 {
                0 => Opening::Handled(None),
                _ => Opening::untouched(),
            });
        }
        match choice % 10 {
            0 if self.cancelling => Input::Deadline,
            0 if detail.is_multiple_of(4) => Input::Cancel(None),
            1 if detail.is_multiple_of(8) => Input::Unsaved("disk full".into()),
            2 if self.calling => Input::Text("text".into()),
            3 if self.calling => {
                self.calling = false;
                failure(!detail.is_multiple_of(3))
            }
            4..=6 if self.calling => {
                self.calling = false;
                self.answers += 1;
                self.announced.clear();
                self.results.clear();
                let calls: Vec<PlannedCall> = (0..usize::from(detail % 9))
                    .map(|number| {
                        let bits = usize::from(detail).rotate_left(u32::try_from(number).unwrap()) >> 2;
                        call(number, !bits.is_multiple_of(3), bits.is_multiple_of(5))
                    })
                    .collect();
                self.parallel = calls.iter().map(|call| (call.number.0, call.parallel)).collect();
                answer("text", calls)
            }
            _ if self.waiting => {
                self.waiting = false;
                Input::RetryDue
            }
            _ if !self.running.is_empty() => {
                let keys: Vec<usize> = self.running.keys().copied().collect();
                let key = keys[usize::from(detail) % keys.len()];
                if choice.is_multiple_of(2) {
                    return executes(key);
                }
                self.running.remove(&key);
                done(key)
            }
            _ if self.calling => Input::Reasoning("hm".into()),
            _ => stray[usize::from(detail) % stray.len()].clone(),
        }
    }
}

#[test]
fn a_call_that_may_not_go_out_ends_the_turn_and_says_why() {
    let calls = vec![Input::Begin, answer("Look", vec![call(0, true, false)]), executes(0), done(0)];
    let end = ["persist! turn-end", "response Look", "error", "turn_end budget", "finish"];
    check(None, [calls, vec![Input::Stop("too much".into())]].concat(), &end);
    check(None, vec![Input::Begin, answer("", vec![call(0, true, false)]), Input::Stop("late".into())], &[]);
}

#[test]
fn what_is_paid_beside_the_answers_counts_for_the_turn() {
    let mut machine = machine(None);
    machine.on(Millis(0), Input::Begin);
    assert_eq!(words(&machine.on(Millis(0), Input::Spent(Box::new(spent(4))))), ["spend"]);
    machine.on(Millis(0), answer("Done", vec![]));
    assert_eq!((machine.usage.output_tokens, machine.llm_calls), (7, 2));
}

#[test]
fn a_prompt_that_was_taken_back_does_not_join() {
    let inputs = vec![Input::Begin, Input::Steered, Input::Unsteered, answer("Done", vec![])];
    let ends = ["persist! turn-end", "response Done", "turn_end end_turn", "finish"];
    let shown = ["message_start", "persist assistant", "message_end Done", "spend"];
    check(None, inputs, &[&shown[..], &ends].concat());
}

#[test]
fn a_call_that_was_made_too_often_is_noted_in_its_result_and_found() {
    let mut machine = machine(None);
    machine.on(Millis(0), Input::Begin);
    let mut notes = Vec::new();
    for _ in 0..4 {
        machine.on(Millis(0), answer("", vec![call(0, true, false)]));
        for effect in machine.on(Millis(0), done(0)) {
            if let Effect::Emit(EventBody::ToolResult { result, .. }) = effect {
                notes.push(result.contains("with the same arguments and the same result"));
            }
        }
    }
    assert_eq!(notes, [false, false, true, true]);
    assert_eq!(machine.repetition(), Some(Repetition { tool: "read".into(), count: 4 }));
    assert_eq!(machine.repetition(), None);
}

proptest! {
    /// Guards I7 and I14: whatever comes in whatever order, every call has one result, saved before it is told, and
    /// the turn ends once.
    #[test]
    fn every_interleaving_keeps_calls_paired_and_ends_once(
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 0..120),
        max_steps in prop::option::of(1_u32..6),
        intercepted in any::<bool>(),
    ) {
        let mut machine = machine(max_steps);
        machine.plan.intercepted = intercepted;
        let mut owner = Owner { opened: !intercepted, ..Owner::default() };
        owner.perform(machine.on(Millis(1000), Input::Begin))?;
        for (choice, detail) in choices {
            let before = owner.finished;
            let input = owner.input(choice, detail);
            let effects = machine.on(Millis(2000), input);
            prop_assert!(!before || effects.is_empty());
            owner.perform(effects)?;
        }
        owner.perform(machine.on(Millis(3000), Input::Cancel(None)))?;
        owner.perform(machine.on(Millis(3000), Input::Deadline))?;
        prop_assert!(owner.finished);
    }
}
