//! The interface of `extensions/wit` as Rust, generated.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::restriction, clippy::pedantic)]

wasmtime::component::bindgen!({ path: "../../extensions/wit", world: "extension" });
