//! What the ledger does when the user types into a 50,000-line file with 500 pending hunks.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use kit_protocol::{AgentId, Attribution, SessionId, ToolCallId, TurnId};
use kit_review::{Current, Ledger};
use kit_text::{Encoding, Position, Text};
use kit_workspace::{Author, Change, DocumentUri};

const LINES: usize = 49_990;

fn document(changed: bool) -> Text {
    let mut text = String::new();
    for line in 0..LINES {
        if changed && line % 100 == 50 && line < 50_000 {
            text.push_str(&format!("    changed({line}); // é😀\n"));
        } else {
            text.push_str(&format!("    let value_{} = compute({}, \"text\");\n", line % 9000, line % 7));
        }
    }
    Text::from(text)
}

fn typing(criterion: &mut Criterion) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let texts = |_: &DocumentUri| Ok(Current::default());
    let Ok(mut ledger) = Ledger::open(folder.path(), Arc::new(texts)) else { return };
    let uri = DocumentUri::parse("file:///work/large.rs");
    let attribution = Attribution {
        session: SessionId::new("session"),
        turn: TurnId::new("turn"),
        agent: AgentId::main(),
        tool_call_id: ToolCallId::new("call"),
        title: "edit".to_owned(),
    };
    let change = |before: &Text, after: &Text, author| Change {
        uri: uri.clone(),
        version: Some(1),
        before: before.clone(),
        after: after.clone(),
        existed: true,
        exists: true,
        author,
    };
    let mut text = document(true);
    assert!(ledger.record(&change(&document(false), &text, Author::Agent(attribution))).is_ok());
    assert_eq!(ledger.snapshot().summary.hunks, 500);

    criterion.bench_function("user edit with 500 hunks pending in 50,000 lines", |bencher| {
        bencher.iter(|| {
            let before = text.clone();
            let at = text.offset_of(Position::new(25_020, 4), Encoding::Utf16);
            let typed = text.replace(at..at, "x");
            assert!(typed.is_ok());
            ledger.record(&change(&before, &text, Author::User))
        });
    });
    criterion.bench_function("snapshot of 500 hunks in 50,000 lines", |bencher| {
        bencher.iter(|| ledger.snapshot());
    });
}

criterion_group!(benches, typing);
criterion_main!(benches);
