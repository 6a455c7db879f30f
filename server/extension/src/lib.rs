//! Extensions: WebAssembly components and single JavaScript files in a sandbox.

pub mod sandbox;
