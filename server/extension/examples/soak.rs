//! `cargo xtask soak [EVENTS]`: many events through ten extensions that are loaded again, crash and ask questions that
//! nobody answers, and what that does to the memory of the process.
//!
//! Everything but the sessions is real: events go in where those of sessions do. The last one of a batch makes every
//! extension print a line, so that the next batch begins when all is handled, and a prompt's interceptors bring back how
//! many events each extension saw. In every round one extension is stopped while it loops, one is made anew, and one leaves a question open. The memory of
//! the second half may not be more than that of the first.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "this program talks to its developer and stops at what it cannot set up"
)]

#[path = "../benches/host/stage.rs"]
mod stage;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kit_extension::{ExtensionHooks, ExtensionSink, Extensions};
use kit_protocol::{ErrorKind, Event, EventBody, ExtensionArguments, SessionId};
use kit_session::{HookScope, Hooks, InputSource, InputVerdict, Sink};

use stage::{Screen, Silent, Stage, resident};

const EXTENSIONS: usize = 10;
/// Events before it is waited for their handlers; fewer than an extension's queue holds.
const BATCH: usize = 500;
/// Batches of a round.
const ROUND: usize = 4;
/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The second half may have so much more, for what an allocator keeps.
const SLACK: u64 = 8 << 20;

const SOURCE: &str = r#"
export default function (kit) {
  let seen = 0;
  kit.on("message_update", (event, ctx) => {
    seen += 1;
    if (seen % 100 === 0) ctx.setStatus("seen", `${seen} ${event.chunk.length}`);
  });
  kit.on("message_end", (_, ctx) => ctx.print("batch"));
  kit.on("input", (event) => {
    const text = `${event.text} ${seen}`;
    seen = 0;
    return { action: "transform", text };
  });
  if (kit.name === "extension0") kit.on("error", () => { for (;;) {} });
  if (kit.name === "extension1") kit.on("warnings", async (_, ctx) => { await ctx.promptConfirm({ message: "Still there?" }); });
}
"#;

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[tokio::main]
async fn main() {
    let wanted: usize = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let Stage { hub, sink, silent, screen, extensions } = Stage::new(folder.path());
    std::fs::write(extensions.join("extension0.js"), SOURCE).expect("an extension");
    // The engine of JavaScript is compiled with the first; the further ones tell what one takes.
    let loaded = hub.reload(ExtensionArguments::default()).await.expect("they load");
    assert_eq!(loaded.extensions.len(), 1, "{loaded:?}");
    let one = resident();
    for number in 1..EXTENSIONS {
        std::fs::write(extensions.join(format!("extension{number}.js")), SOURCE).expect("an extension");
    }
    let began = Instant::now();
    let loaded = hub.reload(ExtensionArguments::default()).await.expect("they load");
    assert_eq!(loaded.extensions.len(), EXTENSIONS, "{loaded:?}");
    let further = resident().saturating_sub(one) / (EXTENSIONS as u64 - 1);
    println!(
        "{EXTENSIONS} extensions live after {} ms, {} KiB for each further one",
        began.elapsed().as_millis(),
        further / 1024
    );
    soak(&hub, &sink, &silent, &screen, wanted).await;
    hub.shutdown().await;
    println!("questions open at the end: {}", silent.open.load(Ordering::Relaxed));
    assert_eq!(silent.open.load(Ordering::Relaxed), 0, "every question is withdrawn");
}

async fn soak(
    hub: &Arc<Extensions>,
    sink: &Arc<ExtensionSink>,
    silent: &Silent,
    screen: &Screen,
    wanted: usize,
) {
    let hooks = ExtensionHooks(Arc::clone(hub));
    let session = SessionId::from("soak");
    let send = |body: EventBody| {
        sink.event(Event { session: session.clone(), turn: None, seq: 1, at: 0, agent: None, body });
    };
    let (mut handled, mut sent, mut traps, mut reloads) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut reloading = Duration::ZERO;
    let (mut first_half, mut second_half) = (0_u64, 0_u64);
    let began = Instant::now();
    println!("{EXTENSIONS} extensions, {wanted} events: {} before", mib(resident()));
    let mut told = 0;
    while handled < wanted {
        for _ in 0..ROUND {
            for number in 0..BATCH {
                send(EventBody::MessageUpdate { chunk: format!("piece {number} of the answer") });
            }
            sent += BATCH;
            handled += barrier(&hooks, &session, screen, &send).await;
        }
        // One is stopped in a loop, one is made anew, one asks and gets no answer.
        send(EventBody::Notice { message: "notice".to_owned() });
        send(EventBody::Error { kind: ErrorKind::Internal, message: "trap".to_owned() });
        traps += 1;
        barrier(&hooks, &session, screen, &send).await;
        for name in ["extension0", "extension1"] {
            let arguments = ExtensionArguments { name: Some(name.to_owned()) };
            let began = Instant::now();
            let list = hub.reload(arguments).await.expect("it loads again");
            reloading += began.elapsed();
            assert_eq!(list.extensions.len(), 1, "{list:?}");
            reloads += 1;
        }
        let now = resident();
        if handled * 2 < wanted {
            first_half = first_half.max(now);
        } else {
            second_half = second_half.max(now);
        }
        if handled * 10 / wanted > told {
            told = handled * 10 / wanted;
            let seconds = began.elapsed().as_secs_f64();
            println!("{handled} handled after {seconds:.1} s: {}", mib(now));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{sent} events, {handled} handled ({:.0} a second), {traps} stopped loops, {reloads} reloads, {} questions, {} things shown",
        handled as f64 / seconds,
        silent.asked.load(Ordering::Relaxed),
        screen.shown.load(Ordering::Relaxed)
    );
    println!("a reload takes {:.1} ms", reloading.as_secs_f64() * 1000.0 / reloads as f64);
    println!("memory: at most {} in the first half, {} in the second", mib(first_half), mib(second_half));
    assert!(handled * 100 >= sent * EXTENSIONS * 90, "nearly all events are handled");
    assert!(second_half <= first_half + SLACK, "the memory grows");
}

/// Waits until all that was sent is handled; answers how many events the extensions saw.
async fn barrier(
    hooks: &ExtensionHooks,
    session: &SessionId,
    screen: &Screen,
    send: &impl Fn(EventBody),
) -> usize {
    let mut printed = screen.printed.subscribe();
    let expected = *printed.borrow() + EXTENSIONS;
    send(EventBody::MessageEnd { content: String::new() });
    let all = printed.wait_for(|printed| *printed >= expected);
    tokio::time::timeout(PATIENCE, all).await.expect("a batch in time").expect("the screen is there");
    let scope = HookScope { session: session.clone(), turn: None, agent: None };
    match hooks.input(scope, String::new(), InputSource::Script).await {
        InputVerdict::Rewrite(text) => text.split(' ').filter_map(|word| word.parse::<usize>().ok()).sum(),
        InputVerdict::Continue | InputVerdict::Handled(_) => 0,
    }
}
