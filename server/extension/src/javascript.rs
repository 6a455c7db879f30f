//! The component that runs JavaScript: QuickJS, built from `extensions/js-engine` and a part of the program.

/// The component.
pub const ENGINE: &[u8] = include_bytes!("../../../extensions/js-engine/js-engine.wasm");
