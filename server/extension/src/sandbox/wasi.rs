//! The few functions of WASI that standard libraries call by themselves: an empty environment, output into the log,
//! clocks and random numbers. Everything else of WASI traps when it is called, so a component that was compiled for a
//! WASI target runs, and reaches nothing.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::LogLevel;
use super::store::State;

/// A stream that ends in the log.
pub(super) struct Output(LogLevel);
/// A stream without anything.
struct Input;
/// Why a stream failed; there is none.
struct IoError;
/// What a stream is ready for: it always is, so nobody waits.
pub(super) struct Pollable;
/// A terminal; there is none.
struct Terminal;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct WallClock {
    seconds: u64,
    nanoseconds: u32,
}

/// How many bytes a stream takes at once.
const CHUNK: u64 = 8 << 10;
/// How many random bytes are given at once.
const RANDOM: u64 = 64 << 10;

type Written = (Result<(), StreamError>,);

/// Adds the functions in one version of WASI: exactly the one that a component names, because unknown imports of that
/// version become traps.
pub(super) fn add_to_linker(linker: &mut Linker<State>, version: &str) -> wasmtime::Result<()> {
    let mut environment = linker.instance(&format!("wasi:cli/environment@{version}"))?;
    environment.func_wrap("get-environment", |_, ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_, ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_, ()| Ok((None::<String>,)))?;

    linker
        .instance(&format!("wasi:cli/exit@{version}"))?
        .func_wrap("exit", |_, (_status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
            Err(wasmtime::Error::msg("it exited"))
        })?;

    let mut errors = linker.instance(&format!("wasi:io/error@{version}"))?;
    errors.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;

    // An interface that uses a resource of another has it under its name as well; were one left out, a trap of another
    // type would stand in its place.
    let mut polls = linker.instance(&format!("wasi:io/poll@{version}"))?;
    polls.resource("pollable", ResourceType::host::<Pollable>(), close::<Pollable>)?;
    polls.func_wrap("[method]pollable.ready", |_, (_pollable,): (Resource<Pollable>,)| Ok((true,)))?;
    polls.func_wrap("[method]pollable.block", |_, (_pollable,): (Resource<Pollable>,)| Ok(()))?;
    polls.func_wrap("poll", |_, (pollables,): (Vec<Resource<Pollable>>,)| {
        Ok(((0..u32::try_from(pollables.len())?).collect::<Vec<u32>>(),))
    })?;
    let mut input = linker.instance(&format!("wasi:cli/stdin@{version}"))?;
    input.resource("input-stream", ResourceType::host::<Input>(), |_, _| Ok(()))?;
    for (owner, user) in [("terminal-input", "terminal-stdin"), ("terminal-output", "terminal-stdout")] {
        for name in [owner, user] {
            let mut terminal = linker.instance(&format!("wasi:cli/{name}@{version}"))?;
            terminal.resource(owner, ResourceType::host::<Terminal>(), |_, _| Ok(()))?;
        }
    }
    let mut terminal = linker.instance(&format!("wasi:cli/terminal-stderr@{version}"))?;
    terminal.resource("terminal-output", ResourceType::host::<Terminal>(), |_, _| Ok(()))?;

    let mut streams = linker.instance(&format!("wasi:io/streams@{version}"))?;
    streams.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    streams.resource("pollable", ResourceType::host::<Pollable>(), close::<Pollable>)?;
    streams.resource("input-stream", ResourceType::host::<Input>(), |_, _| Ok(()))?;
    streams.resource("output-stream", ResourceType::host::<Output>(), close::<Output>)?;
    streams.func_wrap(
        "[method]output-stream.subscribe",
        |mut store: StoreContextMut<'_, State>, (_stream,): (Resource<Output>,)| {
            Ok((store.data_mut().resources.push(Pollable)?,))
        },
    )?;
    streams.func_wrap("[method]output-stream.check-write", |_, (_stream,): (Resource<Output>,)| {
        Ok((Ok::<u64, StreamError>(CHUNK),))
    })?;
    for name in ["write", "blocking-write-and-flush"] {
        streams.func_wrap(&format!("[method]output-stream.{name}"), write)?;
    }
    for name in ["flush", "blocking-flush"] {
        streams
            .func_wrap(&format!("[method]output-stream.{name}"), |_, (_stream,): (Resource<Output>,)| {
                Ok((Ok::<(), StreamError>(()),))
            })?;
    }
    for (name, function, level) in
        [("stdout", "get-stdout", LogLevel::Info), ("stderr", "get-stderr", LogLevel::Error)]
    {
        let mut output = linker.instance(&format!("wasi:cli/{name}@{version}"))?;
        output.resource("output-stream", ResourceType::host::<Output>(), close::<Output>)?;
        output.func_wrap(function, move |mut store: StoreContextMut<'_, State>, ()| {
            Ok((store.data_mut().resources.push(Output(level))?,))
        })?;
    }

    let begun = Instant::now();
    let mut monotonic = linker.instance(&format!("wasi:clocks/monotonic-clock@{version}"))?;
    monotonic.func_wrap("now", move |_, ()| {
        Ok((u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX),))
    })?;
    monotonic.func_wrap("resolution", |_, ()| Ok((1_000_u64,)))?;
    let mut wall = linker.instance(&format!("wasi:clocks/wall-clock@{version}"))?;
    wall.func_wrap("now", |_, ()| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok((WallClock { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() },))
    })?;
    wall.func_wrap("resolution", |_, ()| Ok((WallClock { seconds: 0, nanoseconds: 1_000 },)))?;

    let mut random = linker.instance(&format!("wasi:random/random@{version}"))?;
    random.func_wrap("get-random-bytes", |_, (length,): (u64,)| {
        if length > RANDOM {
            return Err(wasmtime::Error::msg(format!(
                "{length} random bytes at once, {RANDOM} is the limit"
            )));
        }
        let bytes = std::iter::repeat_with(|| random_u64().to_le_bytes()).flatten();
        Ok((bytes.take(usize::try_from(length).unwrap_or_default()).collect::<Vec<u8>>(),))
    })?;
    random.func_wrap("get-random-u64", |_, ()| Ok((random_u64(),)))?;
    let mut seed = linker.instance(&format!("wasi:random/insecure-seed@{version}"))?;
    seed.func_wrap("insecure-seed", |_, ()| Ok(((random_u64(), random_u64()),)))?;
    Ok(())
}

fn close<T: Send + 'static>(mut store: StoreContextMut<'_, State>, id: u32) -> wasmtime::Result<()> {
    store.data_mut().resources.delete(Resource::<T>::new_own(id))?;
    Ok(())
}

fn write(
    mut store: StoreContextMut<'_, State>,
    (stream, bytes): (Resource<Output>, Vec<u8>),
) -> wasmtime::Result<Written> {
    let level = store.data().resources.get(&stream)?.0;
    let text = String::from_utf8_lossy(&bytes);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        store.data_mut().log_line(level, line);
    }
    Ok((Ok(()),))
}

/// Each state of the standard library's hash is seeded by the system.
fn random_u64() -> u64 {
    RandomState::new().build_hasher().finish()
}
