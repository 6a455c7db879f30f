//! The clock by which running guests are looked at.
//!
//! Guests run only while their task is polled. A poll announces itself; one thread advances the engine's epoch every
//! [`TICK`] while there are polls, and sleeps without any timer when there were none for a while.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::limits::TICK;

/// How many ticks without any poll the thread stays awake: waking it costs more than a tick.
const LINGER: u32 = 20;

/// Advances an engine's epoch while guests run.
pub(super) struct Ticker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    polls: AtomicUsize,
    /// Whether there was a poll since the last tick.
    active: AtomicBool,
    sleeps: AtomicBool,
    ended: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Ticker {
    /// Starts the thread.
    pub(super) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (ticks, engine) = (Arc::clone(&shared), engine.weak());
        std::thread::Builder::new().name("extension ticks".to_owned()).spawn(move || {
            let mut quiet = 0;
            while !ticks.ended.load(Ordering::Acquire) {
                std::thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
                let is_active =
                    ticks.active.swap(false, Ordering::AcqRel) || ticks.polls.load(Ordering::Acquire) > 0;
                quiet = if is_active { 0 } else { quiet + 1 };
                if quiet >= LINGER {
                    ticks.sleep();
                    quiet = 0;
                }
            }
        })?;
        Ok(Self { shared })
    }

    /// Polls may run guests until the answer is dropped.
    pub(super) fn poll(&self) -> Polling<'_> {
        self.shared.polls.fetch_add(1, Ordering::AcqRel);
        self.shared.active.store(true, Ordering::SeqCst);
        if self.shared.sleeps.load(Ordering::SeqCst) {
            self.shared.notify();
        }
        Polling(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.notify();
    }
}

impl Shared {
    fn sleep(&self) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleeps.store(true, Ordering::SeqCst);
        while !self.active.load(Ordering::SeqCst) && !self.ended.load(Ordering::Acquire) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }

    fn notify(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }
}

/// A poll that may run guests.
pub(super) struct Polling<'a>(&'a Shared);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.polls.fetch_sub(1, Ordering::AcqRel);
    }
}
