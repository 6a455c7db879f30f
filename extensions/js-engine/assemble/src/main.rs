//! Makes a component of a core module that carries its interface: `assemble MODULE COMPONENT`.
//!
//! The module's `wizer-initialize` runs here, once, and the memory that it leaves becomes the module's own. Every
//! instance then begins with QuickJS and the prelude in place, instead of evaluating the prelude itself.

use std::error::Error;

use wasmi::{AsContext, Engine, ExternType, Func, Instance, Linker, Module, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};
use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(module), Some(component)) = (arguments.next(), arguments.next()) else {
        return Err("usage: assemble MODULE COMPONENT".into());
    };
    let started = started(&std::fs::read(module)?)?;
    let encoded = ComponentEncoder::default().validate(true).module(&started)?.encode()?;
    Ok(std::fs::write(component, encoded)?)
}

/// The module with the state that its initialization leaves.
fn started(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument(module).map_err(|error| format!("{error:#}"))?;
    let engine = Engine::default();
    let module = Module::new(&engine, &instrumented)?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    for import in module.imports() {
        let ExternType::Func(kind) = import.ty() else { return Err("an import that is no function".into()) };
        let name = format!("{} {}", import.module(), import.name());
        // The host is not there yet.
        let missing = move |_: wasmi::Caller<'_, ()>, _: &[Val], _: &mut [Val]| {
            Err(wasmi::Error::new(format!("the initialization calls {name}")))
        };
        let function = Func::new(&mut store, kind.clone(), missing);
        linker.define(import.module(), import.name(), function)?;
    }
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&store, wizer.get_init_func())?.call(&mut store, ())?;
    let mut state = State { store, instance };
    let snapshot = wizer.snapshot(&context, &mut state);
    futures_executor::block_on(snapshot).map_err(|error| format!("{error:#}").into())
}

struct State {
    store: Store<()>,
    instance: Instance,
}

impl InstanceState for State {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&self.store, name).expect("the global is exported for this");
        match global.get(&self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(value) => SnapshotVal::F32(value.to_bits()),
            Val::F64(value) => SnapshotVal::F64(value.to_bits()),
            value => panic!("a global of another type: {value:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&self.store, name).expect("the memory is exported for this");
        contents(memory.data(self.store.as_context()));
    }
}
