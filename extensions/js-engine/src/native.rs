//! The doors of the host as functions for the prelude, which alone sees them.
//!
//! The doors that answer at once return their text, or an object with code, message and data. The doors that wait take
//! a callback and return a number, by which the wait can be given up.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;

use rquickjs::{Ctx, Exception, Function, IntoJs, Object, Persistent, Result, TypedArray, Value};
use wit_bindgen::rt::async_support::JoinHandle;

use crate::failure::code_name;
use crate::kit::extension::host;
use crate::kit::extension::types::{Error, ErrorCode, LogLevel};
use crate::{engine, text};

/// Waits that JavaScript may give up.
#[derive(Default)]
pub(crate) struct Waits {
    last: Cell<u32>,
    handles: RefCell<HashMap<u32, JoinHandle<()>>>,
    /// Callbacks of waits that ended with the call that began them.
    lost: RefCell<Vec<Persistent<Function<'static>>>>,
}

impl Waits {
    /// Tells callbacks whose wait was lost; runs JavaScript.
    pub(crate) fn tell_lost(&self, ctx: &Ctx<'_>) {
        let lost = std::mem::take(&mut *self.lost.borrow_mut());
        for callback in lost {
            let error = Error {
                code: ErrorCode::Cancelled,
                message: "the call that waited for it was given up".to_owned(),
                data: None,
            };
            // An error in a callback of the prelude has nobody to go to; it settles promises and does nothing else.
            let _told = callback.restore(ctx).and_then(|callback| answer(ctx, &callback, Err(error)));
        }
    }
}

/// A result that JavaScript can take.
enum Answer {
    Text(String),
    Bytes(String, Vec<u8>),
}

/// Adds the doors to the natives.
pub(crate) fn install<'js>(ctx: &Ctx<'js>, natives: &Object<'js>) -> Result<()> {
    natives.set("log", Function::new(ctx.clone(), log)?)?;
    natives.set("now", Function::new(ctx.clone(), || host::now_ms() as f64)?)?;
    natives.set("notify", Function::new(ctx.clone(), notify)?)?;
    natives.set("get", Function::new(ctx.clone(), get)?)?;
    natives.set("call", Function::new(ctx.clone(), call)?)?;
    natives.set("callBytes", Function::new(ctx.clone(), call_bytes)?)?;
    natives.set("giveUp", Function::new(ctx.clone(), give_up)?)?;
    natives.set("seed", Function::new(ctx.clone(), seed)?)?;
    natives.set("random", Function::new(ctx.clone(), random)?)?;
    text::install(ctx, natives)
}

fn log(level: String, line: String) {
    let level = match level.as_str() {
        "debug" => LogLevel::Debug,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        _ => LogLevel::Info,
    };
    host::log(level, &line);
}

thread_local!(static RANDOM: Cell<u64> = const { Cell::new(1) });

/// Begins the random numbers of an instance: all of them start from the same memory.
fn seed(text: String) {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    RANDOM.set((hash ^ host::now_ms().wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
}

/// A number from 0 to below 1; not for secrets.
fn random() -> f64 {
    let mut state = RANDOM.get();
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    RANDOM.set(state);
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

fn notify<'js>(ctx: Ctx<'js>, method: String, parameters: String) -> Result<Value<'js>> {
    match host::notify(&method, &parameters) {
        Ok(()) => Ok(Value::new_undefined(ctx)),
        Err(error) => failed(&ctx, &error),
    }
}

fn get<'js>(ctx: Ctx<'js>, method: String, parameters: String) -> Result<Value<'js>> {
    match host::get(&method, &parameters) {
        Ok(text) => text.into_js(&ctx),
        Err(error) => failed(&ctx, &error),
    }
}

fn call<'js>(ctx: Ctx<'js>, method: String, parameters: String, callback: Function<'js>) -> Result<u32> {
    let wait = async move { host::call(method, parameters).await.map(Answer::Text) };
    start(&ctx, wait, callback)
}

fn call_bytes<'js>(
    ctx: Ctx<'js>,
    method: String,
    parameters: String,
    body: TypedArray<'js, u8>,
    callback: Function<'js>,
) -> Result<u32> {
    // SAFETY: no JavaScript runs between taking the slice and copying it.
    let Some(body) = unsafe { body.as_bytes() }.map(<[u8]>::to_vec) else {
        return Err(Exception::throw_type(&ctx, "the buffer is detached"));
    };
    let wait = async move {
        let (text, bytes) = host::call_bytes(method, parameters, body).await?;
        Ok(Answer::Bytes(text, bytes))
    };
    start(&ctx, wait, callback)
}

fn give_up(wait: u32) {
    let Some(engine) = engine() else { return };
    let handle = engine.waits.handles.borrow_mut().remove(&wait);
    if let Some(mut handle) = handle {
        handle.cancel();
    }
}

/// A callback that is told in any case.
struct Callback(Option<Persistent<Function<'static>>>);

impl Drop for Callback {
    fn drop(&mut self) {
        // The task was dropped by the host while it waited. JavaScript must not run in here.
        if let (Some(callback), Some(engine)) = (self.0.take(), engine()) {
            engine.waits.lost.borrow_mut().push(callback);
        }
    }
}

/// Waits in a task of its own; other calls of this instance go on meanwhile.
fn start<'js>(
    ctx: &Ctx<'js>,
    wait: impl Future<Output = std::result::Result<Answer, Error>> + 'static,
    callback: Function<'js>,
) -> Result<u32> {
    let Some(engine) = engine() else {
        return Err(Exception::throw_message(ctx, "the extension is not loaded"));
    };
    let mut callback = Callback(Some(Persistent::save(ctx, callback)));
    let id = engine.waits.last.get().wrapping_add(1);
    engine.waits.last.set(id);
    let handle = wit_bindgen::spawn_local(async move {
        let result = wait.await;
        let (Some(engine), Some(callback)) = (crate::engine(), callback.0.take()) else { return };
        engine.waits.handles.borrow_mut().remove(&id);
        engine.enter(engine.calls.budget(), |ctx| {
            callback.restore(ctx).and_then(|callback| answer(ctx, &callback, result))
        });
    });
    engine.waits.handles.borrow_mut().insert(id, handle);
    Ok(id)
}

/// Calls a callback with `(failure, text, bytes)`.
fn answer<'js>(
    ctx: &Ctx<'js>,
    callback: &Function<'js>,
    result: std::result::Result<Answer, Error>,
) -> Result<()> {
    match result {
        Ok(Answer::Text(text)) => callback.call(((), text)),
        Ok(Answer::Bytes(text, bytes)) => {
            callback.call(((), text, TypedArray::<u8>::new(ctx.clone(), bytes)?))
        }
        Err(error) => callback.call((failed(ctx, &error)?,)),
    }
}

/// An error of the host, from which the prelude makes one of JavaScript.
fn failed<'js>(ctx: &Ctx<'js>, error: &Error) -> Result<Value<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("code", code_name(error.code))?;
    object.set("message", error.message.as_str())?;
    object.set("data", error.data.as_deref())?;
    Ok(object.into_value())
}
