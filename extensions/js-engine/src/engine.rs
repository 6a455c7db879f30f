//! QuickJS with the prelude, and the file that runs in it.

use rquickjs::{CatchResultExt, Context, Ctx, Function, Module, Object, Persistent, Runtime, Value};

use crate::calls::{Call, Calls};
use crate::deadline::{self, Budget};
use crate::failure::Failure;
use crate::kit::extension::host;
use crate::kit::extension::types::{ErrorCode, LogLevel};
use crate::modules::Modules;
use crate::native::{self, Waits};

/// Below the 64 MiB of the instance, so that using up memory is an error of JavaScript and not the end of the instance.
const MEMORY: usize = 48 << 20;
/// The default does not fit into the stack of a component.
const STACK: usize = 512 << 10;

/// Cycles are collected from here on. A collection writes to every object, and what an instance writes to it no longer
/// shares with the others: one that has just been loaded must not need any.
const COLLECTION: usize = 4 << 20;

/// The parts of the prelude in the order in which they are evaluated; each is a function.
const PRELUDE: [(&str, &str); 4] = [
    ("kit:globals", include_str!("../prelude/globals.js")),
    (
        "kit:methods",
        concat!(
            "(function (natives, entries) {",
            include_str!("methods.gen.js"),
            "entries.methods = METHODS; entries.events = EVENTS; })"
        ),
    ),
    ("kit:context", include_str!("../prelude/context.js")),
    ("kit:extension", include_str!("../prelude/extension.js")),
];

/// One runtime with one file in it.
pub(crate) struct Engine {
    context: Context,
    runtime: Runtime,
    modules: Modules,
    /// The functions that the prelude offers to this crate.
    entries: Persistent<Object<'static>>,
    pub(crate) calls: Calls,
    pub(crate) waits: Waits,
}

impl Engine {
    /// A runtime with the prelude.
    pub(crate) fn new() -> Result<Self, Failure> {
        let unavailable = |error: rquickjs::Error| Failure::new(ErrorCode::Internal, error.to_string());
        let runtime = Runtime::new().map_err(unavailable)?;
        runtime.set_memory_limit(MEMORY);
        runtime.set_max_stack_size(STACK);
        runtime.set_interrupt_handler(Some(Box::new(deadline::is_over)));
        runtime.set_host_promise_rejection_tracker(Some(Box::new(|ctx, _promise, reason, handled| {
            if !handled {
                let failure = Failure::thrown(&ctx, &reason);
                host::log(LogLevel::Error, &format!("nobody handles a rejection: {}", failure.line()));
            }
        })));
        let modules = Modules::default();
        runtime.set_loader(modules.clone(), modules.clone());
        let context = Context::full(&runtime).map_err(unavailable)?;
        let entries = context.with(|ctx| {
            let made = prelude(&ctx).map(|entries| Persistent::save(&ctx, entries));
            made.catch(&ctx).map_err(|error| Failure::caught(&ctx, error))
        })?;
        runtime.run_gc();
        runtime.set_gc_threshold(COLLECTION);
        Ok(Engine { context, runtime, modules, entries, calls: Calls::default(), waits: Waits::default() })
    }

    /// Evaluates the file of a configuration and answers its registration.
    pub(crate) async fn load(&self, config: String) -> Result<String, Failure> {
        let open = self.calls.open(Budget::Tool);
        let call = open.call.clone();
        self.enter(Budget::Tool, |ctx| {
            let loaded = self.evaluate(ctx, config, call.clone());
            if let Err(error) = loaded.catch(ctx) {
                call.settle(Err(Failure::caught(ctx, error)));
            }
            Ok(())
        });
        open.call.answer().await.map_err(|failure| failure.with_code(ErrorCode::Invalid))
    }

    fn evaluate<'js>(&self, ctx: &Ctx<'js>, config: String, call: std::rc::Rc<Call>) -> rquickjs::Result<()> {
        let entries = self.entries.clone().restore(ctx)?;
        let configure: Function = entries.get("configure")?;
        let file: Object = configure.call((config,))?;
        let modules: Vec<Vec<String>> = file.get("modules")?;
        for module in modules {
            if let Ok([name, source]) = <[String; 2]>::try_from(module) {
                self.modules.insert(name, source);
            }
        }
        let (name, source): (String, String) = (file.get("name")?, file.get("source")?);
        let (module, evaluated) = Module::declare(ctx.clone(), name, source)?.eval()?;
        let load: Function = entries.get("load")?;
        load.call((module.namespace()?, evaluated, settle(ctx, call)?))
    }

    /// Runs a handler, tool, command or renderer.
    pub(crate) async fn call(&self, kind: &str, name: &str, input: &str) -> Result<String, Failure> {
        let budget = Budget::of(kind);
        let open = self.calls.open(budget);
        let call = open.call.clone();
        self.enter(budget, |ctx| {
            let started = self.start(ctx, kind, name, input, call.clone());
            if let Err(error) = started.catch(ctx) {
                call.settle(Err(Failure::caught(ctx, error)));
            }
            Ok(())
        });
        open.call.answer().await
    }

    fn start<'js>(
        &self,
        ctx: &Ctx<'js>,
        kind: &str,
        name: &str,
        input: &str,
        call: std::rc::Rc<Call>,
    ) -> rquickjs::Result<()> {
        let entries = self.entries.clone().restore(ctx)?;
        let start: Function = entries.get("start")?;
        let now: Value = start.call((kind, name, input, settle(ctx, call.clone())?))?;
        // What is answered at once does not come through the callback.
        if let Some(text) = now.as_string() {
            call.settle(Ok(text.to_string()?));
        }
        Ok(())
    }

    /// Runs JavaScript, and then the jobs that became ready by it.
    pub(crate) fn enter(&self, budget: Budget, work: impl FnOnce(&Ctx<'_>) -> rquickjs::Result<()>) {
        budget.start();
        let worked = self.context.with(|ctx| {
            self.waits.tell_lost(&ctx);
            work(&ctx).catch(&ctx).map_err(|error| Failure::caught(&ctx, error))
        });
        if let Err(failure) = worked.and_then(|()| self.run_jobs()) {
            host::log(LogLevel::Error, &failure.line());
            self.calls.fail_all(&failure);
        }
    }

    /// A job fails only when it was interrupted, and then its promise stays open for ever.
    fn run_jobs(&self) -> Result<(), Failure> {
        loop {
            match self.runtime.execute_pending_job() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return Err(error.0.with(|ctx| Failure::thrown(&ctx, &ctx.catch()))),
            }
        }
    }
}

/// Evaluates the prelude and answers its entries.
fn prelude<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    let natives = Object::new(ctx.clone())?;
    native::install(ctx, &natives)?;
    let entries = Object::new(ctx.clone())?;
    for (name, source) in PRELUDE {
        let mut options = rquickjs::context::EvalOptions::default();
        options.filename = Some(name.to_owned());
        let part: Function = ctx.eval_with_options(source, options)?;
        part.call::<_, ()>((natives.clone(), entries.clone()))?;
    }
    Ok(entries)
}

/// The callback `(succeeded, answer)` by which JavaScript answers a call.
fn settle<'js>(ctx: &Ctx<'js>, call: std::rc::Rc<Call>) -> rquickjs::Result<Function<'js>> {
    Function::new(ctx.clone(), move |ctx: Ctx<'js>, succeeded: bool, answer: Value<'js>| {
        let answer = match answer.as_string() {
            Some(text) if succeeded => text.to_string(),
            Some(_) | None => {
                call.settle(Err(Failure::thrown(&ctx, &answer)));
                return Ok(());
            }
        };
        call.settle(Ok(answer?));
        rquickjs::Result::Ok(())
    })
}
