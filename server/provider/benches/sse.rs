//! Speed of the event stream decoder on frames as model servers send them.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kit_provider::sse::Decoder;

/// How much a socket usually delivers at once.
const READ: usize = 16 * 1024;

fn decode(bytes: &[u8]) -> usize {
    let mut decoder = Decoder::default();
    let mut length = 0;
    for read in bytes.chunks(READ) {
        decoder.push(read);
        while let Ok(Some(frame)) = decoder.next_frame() {
            length += frame.data.len();
        }
    }
    length
}

fn sse(criterion: &mut Criterion) {
    let delta =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words"}}"#;
    let short = format!("event: content_block_delta\ndata: {delta}\n\n");
    let long = format!("data: {}\r\n\r\n", "x".repeat(8000));
    let mut group = criterion.benchmark_group("event stream");
    for (name, event) in [("10 MB of short events", short), ("10 MB of long lines", long)] {
        let stream = event.repeat(10_000_000 / event.len());
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| decode(stream.as_bytes())));
    }
    group.finish();
}

criterion_group!(benches, sse);
criterion_main!(benches);
