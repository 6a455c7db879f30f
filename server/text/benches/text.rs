//! A keystroke in a 100,000-line document, and the hunks of a 50,000-line file with 500 changes.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kit_text::{Encoding, Position, Text, diff};

fn document(lines: usize, changed_every: Option<usize>) -> Text {
    let mut text = String::new();
    for line in 0..lines {
        match changed_every {
            Some(every) if line % every == every / 2 => {
                text.push_str(&format!("    changed({line}); // é😀\n"))
            }
            Some(_) | None => {
                text.push_str(&format!("    let value_{} = compute({}, \"text\");\n", line % 9000, line % 7))
            }
        }
    }
    Text::from(text)
}

fn keystroke(criterion: &mut Criterion) {
    let document = document(100_000, None);
    criterion.bench_function("didChange of one character in 100,000 lines", |bencher| {
        bencher.iter_batched_ref(
            || document.clone(),
            |text| {
                let at = text.offset_of(Position::new(54_321, 12), Encoding::Utf16);
                text.replace(at..at, "x")
            },
            BatchSize::LargeInput,
        );
    });
}

fn hunks(criterion: &mut Criterion) {
    let base = document(50_000, None);
    let current = document(50_000, Some(100));
    assert_eq!(diff::hunks(&base, &current).len(), 500);
    criterion.bench_function("hunks of 50,000 lines with 500 changes", |bencher| {
        bencher.iter(|| diff::hunks(&base, &current));
    });
}

criterion_group!(benches, keystroke, hunks);
criterion_main!(benches);
