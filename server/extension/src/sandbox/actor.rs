//! A guest: the task that owns its store.
//!
//! The task stays in one `run_concurrent` of the store and keeps calls in flight beside each other, so that a handler
//! that awaits a person holds up nothing. A crash ends the store with everything in flight; the waiting are told, and a
//! fresh instance goes on with the queue, unless there were too many crashes in a short time.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wasmtime::component::Accessor;
use wasmtime::{Store, UpdateDeadline};

use super::bindings::exports::kit::extension::guest::Guest as Exports;
use super::calls::{Answer, CallId, Calls};
use super::engine::Program;
use super::fault::{Fault, LoadError};
use super::limits::{Limits, Weight};
use super::meter::Patience;
use super::queue::{Queue, Refused};
use super::store::State;
use super::{Failure, Host};

/// How long a guest may take over its `shutdown`.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// What a guest is made of.
#[derive(Clone)]
pub struct Recipe {
    /// The component.
    pub program: Program,
    /// The argument of `init`, also after a crash.
    pub configuration: Arc<str>,
    /// Who answers it.
    pub host: Arc<dyn Host>,
    /// How much it may use.
    pub limits: Limits,
}

/// A guest that runs. Dropping it ends it.
pub struct Guest {
    queue: Arc<Queue>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Counts the calls that are not done.
    unfinished: TaskTracker,
}

/// A call of a guest.
pub(super) struct Job {
    export: Export,
    weight: Weight,
    limit: Duration,
    waiting: Option<oneshot::Sender<Answer>>,
    /// Goes with the call, however it ends.
    unfinished: TaskTrackerToken,
}

enum Export {
    Event { name: Arc<str>, payload: Arc<str> },
    Invoke { kind: &'static str, name: String, input: String },
    Shutdown { reason: &'static str },
}

impl Job {
    pub(super) fn is_notification(&self) -> bool {
        self.waiting.is_none()
    }
}

impl Guest {
    /// Starts a guest and answers what its `init` did.
    pub async fn start(recipe: Recipe) -> Result<(Self, String), LoadError> {
        let queue = Arc::new(Queue::new(recipe.limits.queue));
        let (registered, registration) = oneshot::channel();
        let task = tokio::spawn(Actor::new(recipe, Arc::clone(&queue)).run(registered));
        let guest = Self { queue, task: Mutex::new(Some(task)), unfinished: TaskTracker::new() };
        let registration = registration.await.unwrap_or(Err(Fault::Gone.into()))?;
        Ok((guest, registration))
    }

    /// Sends an event that nobody waits for.
    pub fn notify(&self, name: &Arc<str>, payload: &Arc<str>, limit: Duration) {
        let export = Export::Event { name: Arc::clone(name), payload: Arc::clone(payload) };
        // A notification finds room, or the guest is gone and needs none.
        let _gone = self.queue.push(self.job(export, Weight::Light, limit, None));
    }

    /// Sends an event and waits for the answer.
    pub async fn event(&self, name: &Arc<str>, payload: &Arc<str>, limit: Duration) -> Answer {
        let export = Export::Event { name: Arc::clone(name), payload: Arc::clone(payload) };
        self.ask(export, Weight::Light, limit).await
    }

    /// Invokes something of the guest's.
    pub async fn invoke(
        &self,
        kind: &'static str,
        name: &str,
        input: String,
        weight: Weight,
        limit: Duration,
    ) -> Answer {
        let export = Export::Invoke { kind, name: name.to_owned(), input };
        self.ask(export, weight, limit).await
    }

    /// Ends the guest: what waits is still done as far as it is quick, then its `shutdown` runs.
    pub async fn shut_down(&self, reason: &'static str) {
        let export = Export::Shutdown { reason };
        let (waiting, done) = oneshot::channel();
        if self.queue.push(self.job(export, Weight::Light, SHUTDOWN, Some(waiting))).is_ok() {
            let _ended = tokio::time::timeout(2 * SHUTDOWN, done).await;
        }
        self.queue.close();
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    /// Waits until every call that was made so far is done.
    pub async fn settled(&self) {
        self.unfinished.close();
        self.unfinished.wait().await;
    }

    /// How many notifications it was too slow for.
    pub fn dropped_notifications(&self) -> u64 {
        self.queue.dropped()
    }

    fn job(
        &self,
        export: Export,
        weight: Weight,
        limit: Duration,
        waiting: Option<oneshot::Sender<Answer>>,
    ) -> Job {
        Job { export, weight, limit, waiting, unfinished: self.unfinished.token() }
    }

    async fn ask(&self, export: Export, weight: Weight, limit: Duration) -> Answer {
        let (waiting, answer) = oneshot::channel();
        match self.queue.push(self.job(export, weight, limit, Some(waiting))) {
            Ok(()) => answer.await.unwrap_or(Err(Fault::Gone)),
            Err(Refused::Full) => Err(Fault::Busy),
            Err(Refused::Closed) => Err(Fault::Gone),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

type Registered = oneshot::Sender<Result<String, LoadError>>;

struct Actor {
    recipe: Recipe,
    queue: Arc<Queue>,
    calls: Calls,
    crashes: VecDeque<Instant>,
}

/// Why an instance ended.
enum End {
    /// The queue was closed.
    Closed,
    /// `init` answered with an error, or not in time.
    Refused(Fault),
}

impl Actor {
    fn new(recipe: Recipe, queue: Arc<Queue>) -> Self {
        Self { recipe, queue, calls: Calls::default(), crashes: VecDeque::new() }
    }

    async fn run(mut self, registered: Registered) {
        let mut registered = Some(registered);
        loop {
            let why = match self.live(&mut registered).await {
                Ok(End::Closed) => break,
                Ok(End::Refused(fault)) => {
                    if let Some(registered) = registered.take() {
                        let _gave_up = registered.send(Err(fault.into()));
                        break;
                    }
                    fault.to_string()
                }
                Err(trap) => {
                    let why = reason(&trap);
                    if let Some(registered) = registered.take() {
                        let _gave_up = registered.send(Err(Fault::Crashed(why).into()));
                        break;
                    }
                    why
                }
            };
            self.calls.fail_all(&Fault::Crashed(why.clone()));
            let disabled = self.is_too_much();
            self.recipe.host.crashed(&why, disabled);
            if disabled {
                break;
            }
        }
        self.queue.close();
        self.calls.fail_all(&Fault::Gone);
        // Those that wait in the queue learn it by their dropped channel.
        drop(self.queue.drain());
    }

    /// Counts a crash; whether the guest has crashed too often.
    fn is_too_much(&mut self) -> bool {
        let (now, limits) = (Instant::now(), self.recipe.limits);
        self.crashes.push_back(now);
        self.crashes.retain(|crash| now - *crash < limits.crash_window);
        self.crashes.len() >= limits.crashes
    }

    /// One instance from its `init` to its end.
    async fn live(&self, registered: &mut Option<Registered>) -> wasmtime::Result<End> {
        let Recipe { program, configuration, host, limits } = &self.recipe;
        let mut store = Store::new(&program.running.engine, State::new(*limits, Arc::clone(host)));
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| match store.data_mut().meter.tick() {
            None => Ok(UpdateDeadline::Yield(1)),
            Some(limit) => Err(wasmtime::Error::msg(format!(
                "it computed for {} ms without waiting for anything",
                limit.as_millis()
            ))),
        });
        let patience = Arc::clone(&store.data().patience);
        let life = async {
            let instance = program.prepared.instantiate_async(&mut store).await?;
            let exports = instance.kit_extension_guest();
            store
                .run_concurrent(async |accessor| -> wasmtime::Result<End> {
                    match init(accessor, exports, configuration, limits.init, &patience).await? {
                        Ok(registration) => {
                            if let Some(registered) = registered.take() {
                                let _gave_up = registered.send(Ok(registration));
                            }
                        }
                        Err(fault) => return Ok(End::Refused(fault)),
                    }
                    self.serve(accessor, exports, &patience).await
                })
                .await?
        };
        // The clock of guests must know when one may run.
        let mut life = pin!(life);
        poll_fn(|context| {
            let _polling = program.running.ticker.poll();
            life.as_mut().poll(context)
        })
        .await
    }

    async fn serve(
        &self,
        accessor: &Accessor<State>,
        exports: &Exports,
        patience: &Patience,
    ) -> wasmtime::Result<End> {
        let mut in_flight = FuturesUnordered::new();
        loop {
            let has_room = in_flight.len() < self.recipe.limits.in_flight;
            tokio::select! {
                biased;
                Some(ended) = in_flight.next(), if !in_flight.is_empty() => ended?,
                job = self.queue.next(), if has_room => {
                    let Some(Job { export, weight, limit, waiting, unfinished }) = job else {
                        return Ok(End::Closed);
                    };
                    // Whoever waited may have given up while the call was in the queue.
                    if waiting.as_ref().is_some_and(oneshot::Sender::is_closed) {
                        continue;
                    }
                    let id = self.calls.begin(waiting);
                    in_flight.push(async move {
                        let _until_it_is_done = unfinished;
                        self.handle(accessor, exports, patience, id, export, weight, limit).await
                    });
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    async fn handle(
        &self,
        accessor: &Accessor<State>,
        exports: &Exports,
        patience: &Patience,
        id: CallId,
        export: Export,
        weight: Weight,
        limit: Duration,
    ) -> wasmtime::Result<()> {
        let observed = match &export {
            Export::Event { name, .. } if !id.is_awaited() => Some(Arc::clone(name)),
            Export::Event { .. } | Export::Invoke { .. } | Export::Shutdown { .. } => None,
        };
        accessor.with(|mut access| access.get().meter.begin(weight));
        let call = async {
            match export {
                Export::Event { name, payload } => {
                    exports.call_event(accessor, name.to_string(), payload.to_string()).await
                }
                Export::Invoke { kind, name, input } => {
                    exports.call_invoke(accessor, kind.to_owned(), name, input).await
                }
                Export::Shutdown { reason } => {
                    exports.call_shutdown(accessor, reason.to_owned()).await.map(|()| Ok(String::new()))
                }
            }
        };
        let answer = within(call, limit, patience).await;
        accessor.with(|mut access| access.get().meter.end(weight));
        let answer = match answer {
            Some(Ok(answer)) => answer.map_err(|error| Fault::Failed(Failure::from(error))),
            Some(Err(trap)) => {
                self.calls.settle(id, Err(Fault::Crashed(reason(&trap))));
                return Err(trap);
            }
            None => Err(Fault::TimedOut(limit)),
        };
        if let (Some(event), Err(fault)) = (&observed, &answer) {
            self.recipe.host.failed(event, fault);
        }
        self.calls.settle(id, answer);
        Ok(())
    }
}

async fn init(
    accessor: &Accessor<State>,
    exports: &Exports,
    configuration: &str,
    limit: Duration,
    patience: &Patience,
) -> wasmtime::Result<Answer> {
    accessor.with(|mut access| access.get().meter.begin(Weight::Heavy));
    let answer = within(exports.call_init(accessor, configuration.to_owned()), limit, patience).await;
    accessor.with(|mut access| access.get().meter.end(Weight::Heavy));
    match answer {
        Some(answer) => Ok(answer?.map_err(|error| Fault::Failed(Failure::from(error)))),
        None => Ok(Err(Fault::TimedOut(limit))),
    }
}

/// The outcome of a call within its limit, in which the time of people does not count; `None` when it is over.
async fn within<T>(call: impl Future<Output = T>, limit: Duration, patience: &Patience) -> Option<T> {
    let mut call = pin!(call);
    // Most calls are answered at once and need no timer.
    if let std::task::Poll::Ready(answer) = futures::poll!(call.as_mut()) {
        return Some(answer);
    }
    let (begun, waited) = (Instant::now(), patience.waited());
    loop {
        let used = begun.elapsed().saturating_sub(patience.waited().saturating_sub(waited));
        if used >= limit && !patience.is_asking() {
            return None;
        }
        // While a person is asked the end is not known, so it is looked for now and then.
        let look = (limit.saturating_sub(used)).max(Duration::from_millis(5));
        match tokio::time::timeout(look, call.as_mut()).await {
            Ok(answer) => return Some(answer),
            Err(_elapsed) => {}
        }
    }
}

/// The sentence of a trap, without the stack.
fn reason(trap: &wasmtime::Error) -> String {
    let cause = trap.root_cause().to_string();
    match trap.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::StackOverflow) => "its stack overflowed".to_owned(),
        // A program's own stack lies at the beginning of its memory.
        Some(wasmtime::Trap::MemoryOutOfBounds) => {
            "it reached outside of its memory, as a stack without bound does".to_owned()
        }
        Some(wasmtime::Trap::UnreachableCodeReached) => {
            "it aborted, after a panic or for want of memory".to_owned()
        }
        Some(_) | None => cause,
    }
}
