//! The engine that all guests share, and the programs that it compiled.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::Config;
use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::{Extension, ExtensionPre};
use super::cache::Cache;
use super::fault::LoadError;
use super::limits::{FIBER_STACK, GUARD, RESERVATION, WASM_STACK};
use super::store::State;
use super::ticker::Ticker;
use super::wasi;

/// The engine that all guests share. Nothing of it exists before the first program.
pub struct Engine {
    cache: std::path::PathBuf,
    running: OnceLock<Arc<Running>>,
}

/// What exists once there is a program.
pub(super) struct Running {
    pub(super) engine: wasmtime::Engine,
    pub(super) ticker: Ticker,
    cache: Cache,
}

/// A compiled component of the interface, of which any number of guests can be made.
#[derive(Clone)]
pub struct Program {
    pub(super) prepared: ExtensionPre<State>,
    pub(super) running: Arc<Running>,
}

impl Engine {
    /// An engine that keeps compiled components below a folder.
    pub fn new(cache: &Path) -> Self {
        Self { cache: cache.join("extensions"), running: OnceLock::new() }
    }

    /// Whether any program was compiled yet.
    pub fn is_running(&self) -> bool {
        self.running.get().is_some()
    }

    /// Compiles a component, or takes it from the cache. Takes long: not for a task of the runtime.
    pub fn compile(&self, bytes: &[u8]) -> Result<Program, LoadError> {
        let running = self.start()?;
        match bytes.get(..8) {
            Some(b"\0asm\x0d\0\x01\0") => {}
            Some(b"\0asm\x01\0\0\0") => {
                let text = "it is a WebAssembly module and no component: build it for wasm32-wasip2";
                return Err(LoadError::Component(text.to_owned()));
            }
            Some(_) | None => {
                return Err(LoadError::Component(
                    "it is no WebAssembly component, by its first bytes".to_owned(),
                ));
            }
        }
        let described = |error: wasmtime::Error| {
            let text = format!("{error:#}");
            // Some errors are followed by what they are about, line by line.
            let first = text.lines().next().unwrap_or_default();
            LoadError::Component(format!("not a usable component: {first}"))
        };
        let component = running.cache.load(&running.engine, bytes).map_err(described)?;
        let linker = linker(&running.engine, &component).map_err(described)?;
        let prepared = linker.instantiate_pre(&component).and_then(ExtensionPre::new).map_err(described)?;
        Ok(Program { prepared, running })
    }

    fn start(&self) -> Result<Arc<Running>, LoadError> {
        if let Some(running) = self.running.get() {
            return Ok(Arc::clone(running));
        }
        let failed = |why: String| LoadError::Component(format!("extensions cannot run here: {why}"));
        let engine = wasmtime::Engine::new(&configuration()).map_err(|error| failed(format!("{error:#}")))?;
        let ticker = Ticker::start(&engine).map_err(|error| failed(error.to_string()))?;
        let cache = Cache::new(&self.cache, &engine);
        let running = Arc::new(Running { engine, ticker, cache });
        // Of two that start at the same time the first stays.
        Ok(Arc::clone(self.running.get_or_init(|| running)))
    }
}

fn configuration() -> Config {
    let mut configuration = Config::new();
    configuration
        .epoch_interruption(true)
        .memory_reservation(RESERVATION)
        .memory_guard_size(GUARD)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK);
    configuration
}

fn linker(engine: &wasmtime::Engine, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker: Linker<State> = Linker::new(engine);
    Extension::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    // Only components of targets with WASI import it, and most of what they import they never call.
    let named = component.component_type();
    let imports = named.imports(engine).map(|(name, _)| name.to_owned());
    let wasi_versions: BTreeSet<String> =
        imports.filter_map(|name| Some(name.strip_prefix("wasi:")?.split_once('@')?.1.to_owned())).collect();
    for version in &wasi_versions {
        wasi::add_to_linker(&mut linker, version)?;
    }
    if !wasi_versions.is_empty() {
        linker.define_unknown_imports_as_traps(component)?;
    }
    Ok(linker)
}
