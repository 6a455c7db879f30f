//! What a store holds, and the host's side of the interface.
//!
//! Every entry is counted and its size checked here, before the [`Host`] sees it.

use std::sync::Arc;

use wasmtime::component::{Accessor, HasSelf, ResourceTable};
use wasmtime::{StoreLimits, StoreLimitsBuilder};

use super::bindings::kit::extension::host;
use super::bindings::kit::extension::types::{self, Error};
use super::fault::{Failure, FailureCode, Fault};
use super::limits::{INSTANCES, Limits, TABLE_ELEMENTS, TABLES};
use super::meter::{LogToken, Meter, Patience};
use super::{Body, Host, HostAnswer, LogLevel, Token};

/// What a store holds.
pub(super) struct State {
    pub(super) limits: StoreLimits,
    pub(super) meter: Meter,
    pub(super) patience: Arc<Patience>,
    pub(super) host: Arc<dyn Host>,
    pub(super) resources: ResourceTable,
    allowed: Limits,
}

impl State {
    pub(super) fn new(allowed: Limits, host: Arc<dyn Host>) -> Self {
        let limits = StoreLimitsBuilder::new()
            .memory_size(allowed.memory)
            .instances(INSTANCES)
            .tables(TABLES)
            .table_elements(TABLE_ELEMENTS)
            .build();
        Self {
            limits,
            meter: Meter::new(allowed),
            patience: Arc::default(),
            host,
            resources: ResourceTable::new(),
            allowed,
        }
    }

    /// Writes a line of the guest's log, as far as it may.
    pub(super) fn log_line(&mut self, level: LogLevel, text: &str) {
        match self.meter.log_line() {
            LogToken::Write => self.host.log(level, shortened(text, self.allowed.log_line)),
            LogToken::FirstLeftOut => {
                let text =
                    format!("more than {} lines in a second, some are left out", self.allowed.log_lines);
                self.host.log(LogLevel::Warning, &text);
            }
            LogToken::LeftOut => {}
        }
    }

    fn admit(&mut self, method: &str, size: usize) -> Result<(), Failure> {
        let token = self.meter.host_call();
        if token != Token::Granted {
            let text = format!("more than {} calls of the host in a second", self.allowed.host_calls);
            let failure = Failure::new(FailureCode::RateLimited, text);
            if token == Token::FirstRefused {
                self.host.failed(method, &Fault::Failed(failure.clone()));
            }
            return Err(failure);
        }
        check_size(size, self.allowed.payload, "the parameters")
    }
}

fn check_size(size: usize, limit: usize, what: &str) -> Result<(), Failure> {
    if size > limit {
        let text = format!("{what} have {size} bytes, {limit} is the limit");
        return Err(Failure::new(FailureCode::Invalid, text));
    }
    Ok(())
}

/// The beginning of a text, at most so many bytes.
fn shortened(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

impl types::Host for State {}

impl host::Host for State {
    fn log(&mut self, level: types::LogLevel, text: String) {
        let level = match level {
            types::LogLevel::Debug => LogLevel::Debug,
            types::LogLevel::Info => LogLevel::Info,
            types::LogLevel::Warn => LogLevel::Warning,
            types::LogLevel::Error => LogLevel::Error,
        };
        self.log_line(level, &text);
    }

    fn now_ms(&mut self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn notify(&mut self, method: String, parameters: String) -> Result<(), Error> {
        self.admit(&method, parameters.len())?;
        Ok(self.host.notify(&method, &parameters)?)
    }

    fn get(&mut self, method: String, parameters: String) -> Result<String, Error> {
        self.admit(&method, parameters.len())?;
        let answer = self.host.get(&method, &parameters)?;
        check_size(answer.len(), self.allowed.payload, "the answer")?;
        Ok(answer)
    }
}

impl<T: Send + 'static> host::HostWithStore<T> for HasSelf<State> {
    async fn call(accessor: &Accessor<T, Self>, method: String, parameters: String) -> Result<String, Error> {
        Ok(forward(accessor, method, parameters, Body::Text).await?.0)
    }

    async fn call_bytes(
        accessor: &Accessor<T, Self>,
        method: String,
        parameters: String,
        body: Vec<u8>,
    ) -> Result<(String, Vec<u8>), Error> {
        Ok(forward(accessor, method, parameters, Body::Bytes(body)).await?)
    }
}

async fn forward<T: Send + 'static>(
    accessor: &Accessor<T, HasSelf<State>>,
    method: String,
    parameters: String,
    body: Body,
) -> HostAnswer {
    let size = parameters.len() + if let Body::Bytes(bytes) = &body { bytes.len() } else { 0 };
    let (host, asking, limit) = accessor.with(|mut access| {
        let state = access.get();
        state.admit(&method, size)?;
        let asking = state.host.waits_for_people(&method).then(|| state.patience.ask());
        Ok::<_, Failure>((Arc::clone(&state.host), asking, state.allowed.payload))
    })?;
    let answer = host.call(method, parameters, body).await;
    drop(asking);
    accessor.with(|mut access| access.get().meter.resumed());
    let (text, bytes) = answer?;
    check_size(text.len() + bytes.len(), limit, "the answer")?;
    Ok((text, bytes))
}
