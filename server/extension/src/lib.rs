//! Extensions: WebAssembly components and single JavaScript files in a sandbox.

pub mod javascript;
pub mod rehearsal;
pub mod sandbox;
