//! How much a guest may use.

use std::time::Duration;

/// Limits of one guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its memories together.
    pub memory: usize,
    /// Computing time of events and renderers without a boundary crossed: a call begun or ended, an answer of the host
    /// awaited.
    pub light_computing: Duration,
    /// The same for tools, commands and `init`.
    pub heavy_computing: Duration,
    /// Calls in flight.
    pub in_flight: usize,
    /// Calls that wait; of notifications the oldest is dropped.
    pub queue: usize,
    /// Calls of the host in a second.
    pub host_calls: u32,
    /// Lines of its log in a second.
    pub log_lines: u32,
    /// Bytes of a line of its log.
    pub log_line: usize,
    /// Bytes of a text or body in either direction.
    pub payload: usize,
    /// Wall-clock time of `init`.
    pub init: Duration,
    /// After so many crashes within [`crash_window`](Self::crash_window) it is not started again.
    pub crashes: usize,
    /// See [`crashes`](Self::crashes).
    pub crash_window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            light_computing: Duration::from_millis(200),
            heavy_computing: Duration::from_secs(2),
            in_flight: 64,
            queue: 1024,
            host_calls: 10_000,
            log_lines: 200,
            log_line: 8 << 10,
            payload: 16 << 20,
            init: Duration::from_secs(5),
            crashes: 3,
            crash_window: Duration::from_mins(1),
        }
    }
}

/// How much computing a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Events and renderers.
    Light,
    /// Tools, commands and `init`.
    Heavy,
}

/// Tables, instances and their sizes, which no honest guest comes near.
pub(super) const INSTANCES: usize = 20;
pub(super) const TABLES: usize = 20;
pub(super) const TABLE_ELEMENTS: usize = 100_000;

/// Stack of WebAssembly; with less, deep recursion in JavaScript is a crash instead of an error.
pub(super) const WASM_STACK: usize = 2 << 20;
/// Stack of a guest's fiber, which holds frames of the host as well.
pub(super) const FIBER_STACK: usize = 3 << 20;
/// Address space that is reserved for a memory: all that it can name, so that the program's accesses need no checks.
pub(super) const RESERVATION: u64 = 4 << 30;
/// Address space behind a memory, for what an access adds to its address.
pub(super) const GUARD: u64 = 32 << 20;
/// How often running guests are looked at.
pub(super) const TICK: Duration = Duration::from_millis(10);
