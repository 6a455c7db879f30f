//! How long JavaScript may run without leaving the engine.
//!
//! QuickJS asks every few thousand steps whether it should stop. The time is the host's clock: a handler that is not
//! done in time is interrupted with an error that names its line, just before the host would end the whole instance.

use std::cell::Cell;

use crate::kit::extension::host;

/// For events and rendering; the host cuts at 200 ms.
const EVENT_MS: u64 = 150;
/// For tools, commands and loading; the host cuts at 2 s.
const TOOL_MS: u64 = 1_800;

thread_local! {
    static DEADLINE: Cell<u64> = const { Cell::new(u64::MAX) };
    static HAS_HOST: Cell<bool> = const { Cell::new(false) };
}

/// From now on there is a host that knows the time.
pub(crate) fn host_is_there() {
    HAS_HOST.set(true);
}

/// The time, or zero while there is no host.
pub(crate) fn now_ms() -> u64 {
    if HAS_HOST.get() { host::now_ms() } else { 0 }
}

/// What a call may use before it leaves the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Budget {
    /// Somebody waits for the answer and expects it at once.
    Event,
    /// Somebody asked for work.
    Tool,
}

impl Budget {
    /// The budget of a kind of call.
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "tool" | "command" | "init" => Budget::Tool,
            _ => Budget::Event,
        }
    }

    /// Starts it now.
    pub(crate) fn start(self) {
        let ms = match self {
            Budget::Event => EVENT_MS,
            Budget::Tool => TOOL_MS,
        };
        DEADLINE.set(now_ms().saturating_add(ms));
    }
}

/// Whether JavaScript has to stop.
pub(crate) fn is_over() -> bool {
    now_ms() > DEADLINE.get()
}
