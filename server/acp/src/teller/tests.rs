use kit_protocol::{AgentId, DiffBlock, FileDiff, LineSpan, StopReason, UsageTotals};

use super::*;

fn teller() -> Teller {
    Teller::new(PathBuf::from("/w"), Understands::default(), true)
}

fn event(body: EventBody) -> Event {
    Event { session: "s".into(), turn: Some("t".into()), seq: 1, at: 0, agent: None, body }
}

fn told(teller: &mut Teller, bodies: Vec<EventBody>) -> Vec<Value> {
    let updates = bodies.into_iter().flat_map(|body| teller.tell(&event(body), Telling::Own));
    updates.map(|update| serde_json::to_value(update).unwrap()).collect()
}

fn call(id: &str) -> EventBody {
    EventBody::ToolCall {
        tool_call_id: id.into(),
        tool_name: "read".into(),
        tool_kind: kit_protocol::ToolKind::Read,
        tool_args: r#"{"path":"a.rs","offset":5}"#.into(),
        parsed_args: Some(json!({"path": "a.rs", "offset": 5})),
        title: "read a.rs".into(),
    }
}

fn result(id: &str, is_error: bool, metadata: Option<ToolMetadata>) -> EventBody {
    EventBody::ToolResult {
        tool_call_id: id.into(),
        tool_name: "read".into(),
        tool_kind: kit_protocol::ToolKind::Read,
        tool_args: "{}".into(),
        parsed_args: Some(json!({})),
        result: "done".into(),
        is_error,
        metadata,
        media: Default::default(),
    }
}

#[test]
fn images_of_a_result_are_shown_behind_its_text() {
    let mut teller = teller();
    let medium = |media_type: &str| ImagePart { data: "AA==".into(), media_type: media_type.into() };
    let mut answer = result("c", false, None);
    if let EventBody::ToolResult { media, .. } = &mut answer {
        *media = ["image/png", "application/pdf", "audio/wav"].map(medium).into();
    }
    let content = told(&mut teller, vec![call("c"), answer]).pop().unwrap()["content"].take();
    let expected = json!([
        {"type": "content", "content": {"type": "text", "text": "done"}},
        {"type": "content", "content": {"type": "image", "data": "AA==", "mimeType": "image/png"}},
        {"type": "content", "content": {"type": "audio", "data": "AA==", "mimeType": "audio/wav"}},
    ]);
    assert_eq!(content, expected);
}

fn end() -> EventBody {
    EventBody::TurnEnd {
        response: "Hello".into(),
        stop_reason: StopReason::EndTurn,
        error: None,
        tool_call_count: 0,
        tool_names: Vec::new(),
        llm_call_count: 1,
        usage: UsageTotals::default(),
        duration_ms: 1,
    }
}

fn kinds(updates: &[Value]) -> Vec<String> {
    let kind = |update: &Value| {
        let kind = update["sessionUpdate"].as_str().unwrap();
        match update["status"].as_str() {
            Some(status) => format!("{kind} {status}"),
            None => kind.to_owned(),
        }
    };
    updates.iter().map(kind).collect()
}

#[test]
fn text_is_told_once_also_beside_tool_calls() {
    let updates = told(
        &mut teller(),
        vec![
            EventBody::TurnStart { prompt: "go".into() },
            EventBody::MessageStart {},
            EventBody::MessageUpdate { chunk: "Hel".into() },
            EventBody::MessageUpdate { chunk: "lo".into() },
            EventBody::MessageEnd { content: "Hello".into() },
            EventBody::ToolCallContent { content: "Hello".into() },
            EventBody::Response { content: "Hello".into() },
            end(),
        ],
    );
    let texts: String = updates.iter().map(|update| update["content"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, "Hello");
    assert!(updates.iter().all(|update| update["messageId"] == "message-1"), "{updates:?}");
    let whole = vec![EventBody::MessageStart {}, EventBody::MessageEnd { content: "Hi".into() }];
    assert_eq!(told(&mut teller(), whole)[0]["content"]["text"], "Hi");
}

#[test]
fn every_call_gets_one_final_status() {
    let start = |id: &str| EventBody::ToolExecutionStart {
        tool_call_id: id.into(),
        tool_name: "read".into(),
        tool_kind: kit_protocol::ToolKind::Read,
    };
    let mut teller = teller();
    let updates = told(
        &mut teller,
        vec![
            call("a"),
            call("b"),
            start("a"),
            result("a", false, None),
            result("a", true, None),
            start("a"),
            end(),
        ],
    );
    let expected = [
        "tool_call pending",
        "tool_call pending",
        "tool_call_update in_progress",
        "tool_call_update completed",
        "tool_call_update failed",
    ];
    // A pending status is the default and may be left out of the message.
    let kinds: Vec<String> =
        kinds(&updates).into_iter().map(|kind| kind.replace("tool_call pending", "tool_call")).collect();
    assert_eq!(kinds, expected.map(|kind| kind.replace("tool_call pending", "tool_call")));
    assert_eq!(updates[4]["toolCallId"], "b");
}

#[test]
fn calls_of_an_answer_that_broke_off_are_failed() {
    let updates = told(
        &mut teller(),
        vec![
            EventBody::MessageStart {},
            EventBody::MessageUpdate { chunk: "I will".into() },
            call("a"),
            EventBody::StreamReset {},
            EventBody::MessageStart {},
        ],
    );
    assert_eq!(updates[2]["status"], "failed");
    assert!(updates[3]["content"]["text"].as_str().unwrap().contains("starts again"));
}

#[test]
fn a_change_is_told_as_it_really_was() {
    let block = DiffBlock {
        old_text: "a\u{a0}b\n".into(),
        new_text: "c\n".into(),
        old_range: LineSpan { start: 3, end: 4 },
        new_range: LineSpan { start: 3, end: 4 },
    };
    let file = FileDiff {
        uri: "file:///w/a.rs".into(),
        path: "a.rs".into(),
        additions: 1,
        deletions: 1,
        is_new: false,
        fuzzy: true,
        diff_blocks: vec![block],
    };
    let new = FileDiff { uri: "file:///w/b.rs".into(), path: "b.rs".into(), is_new: true, ..file.clone() };
    let metadata = ToolMetadata { file_diffs: vec![file, new], ..ToolMetadata::default() };
    let updates = told(&mut teller(), vec![call("a"), result("a", false, Some(metadata))]);
    assert_eq!(updates[0]["locations"], json!([{"path": "/w/a.rs", "line": 4}]));
    assert_eq!(updates[0]["rawInput"], json!({"path": "a.rs", "offset": 5}));
    assert_eq!(
        updates[1]["content"],
        json!([
            {"type": "diff", "path": "/w/a.rs", "oldText": "a\u{a0}b\n", "newText": "c\n"},
            {"type": "diff", "path": "/w/b.rs", "newText": "c\n"},
        ])
    );
    assert_eq!(updates[1]["locations"][1], json!({"path": "/w/b.rs", "line": 3}));
    assert_eq!(updates[1]["rawOutput"]["result"], "done");
}

#[test]
fn what_a_subagent_does_is_told_under_its_name_and_its_text_is_not() {
    let agent = AgentRef {
        id: AgentId::from("child"),
        name: Some("explore".into()),
        path: vec!["explore".into()],
        tool_call_id: Some("a".into()),
    };
    let mut teller = teller();
    let by = |body| Event { agent: Some(agent.clone()), ..event(body) };
    let updates = teller.tell(&by(call("a")), Telling::Own);
    let shown = serde_json::to_value(&updates[0]).unwrap();
    assert_eq!((&shown["toolCallId"], &shown["title"]), (&json!("child/a"), &json!("explore: read a.rs")));
    assert!(teller.tell(&by(EventBody::MessageUpdate { chunk: "x".into() }), Telling::Own).is_empty());
    assert!(
        teller.tell(&event(end()), Telling::Own).is_empty(),
        "it may go on behind the turn of its parent"
    );
    let ended = serde_json::to_value(teller.tell(&by(end()), Telling::Own)).unwrap();
    assert_eq!((&ended[0]["toolCallId"], &ended[0]["status"]), (&json!("child/a"), &json!("failed")));
    assert_eq!(ended_turn(&by(end())), None);
}

#[test]
fn a_prompt_of_somebody_else_is_told_and_the_first_one_names_the_session() {
    let mut teller = Teller::new(PathBuf::from("/w"), Understands::default(), false);
    let start = |prompt: &str| event(EventBody::TurnStart { prompt: prompt.into() });
    let own = teller.tell(&start("\n fix it \nplease"), Telling::Own);
    assert_eq!(
        serde_json::to_value(&own).unwrap(),
        json!([{"sessionUpdate": "session_info_update", "title": "fix it"}])
    );
    let foreign = teller.tell(&start("again"), Telling::Foreign);
    let expected =
        json!([{"sessionUpdate": "user_message_chunk", "content": {"type": "text", "text": "again"}}]);
    assert_eq!(serde_json::to_value(&foreign).unwrap(), expected);
}

#[test]
fn the_newest_output_of_a_running_tool_is_shown() {
    let output = |chunk: String| EventBody::ToolOutput {
        tool_call_id: "a".into(),
        tool_name: "bash".into(),
        chunk,
        is_stderr: false,
    };
    let updates =
        told(&mut teller(), vec![call("a"), output("é".repeat(SHOWN_OUTPUT)), output("end".into())]);
    let shown = updates[2]["content"][0]["content"]["text"].as_str().unwrap();
    assert!(shown.len() <= SHOWN_OUTPUT && shown.ends_with("éend"));
}

#[test]
fn notices_are_thoughts_where_the_client_knows_none() {
    let notice = || vec![EventBody::Notice { message: "slow".into() }];
    assert_eq!(kinds(&told(&mut teller(), notice())), ["agent_thought_chunk"]);
    let understands = Understands { notices: true, compaction: true };
    let mut teller = Teller::new(PathBuf::from("/w"), understands, true);
    assert_eq!(kinds(&told(&mut teller, notice())), ["notice"]);
}
