//! Extensions of Kit in Rust.
//!
//! An extension is a crate of type `cdylib` for the target `wasm32-wasip2`; what `cargo build --release` leaves is a
//! component that Kit loads. It implements [`Extension`], registers what it handles and offers, and is exported by
//! [`export!`]:
//!
//! ```no_run
//! use kit_extension_sdk::{Context, Error, Extension, Kit, event, export};
//! use kit_extension_sdk::contract::{ToolCallAnswer, ToolCallEvent};
//!
//! struct NoForce;
//!
//! impl Extension for NoForce {
//!     fn init(kit: &mut Kit) -> Result<(), Error> {
//!         kit.on::<event::ToolCall, _>(async |call: ToolCallEvent, _context: Context| {
//!             let is_forced = call.input.contains("push --force");
//!             Ok(is_forced.then(|| ToolCallAnswer { block: true, reason: Some("never by force".into()) }))
//!         });
//!         Ok(())
//!     }
//! }
//!
//! export!(NoForce);
//! # fn main() {}
//! ```
//!
//! Handlers are asynchronous and may wait for minutes; other events of the same extension are served meanwhile. The
//! types of all payloads, answers, parameters and results are those of the contract, re-exported as [`contract`].
//! [`test`] runs an extension in an ordinary `cargo test`, with a host that records.

mod context;
mod dispatch;
mod error;
pub mod event;
mod host;
mod kit;
pub mod test;

pub use kit_contract as contract;
pub use serde_json::{Value, json};

pub use crate::context::{Context, ToolContext};
pub use crate::error::{Error, ErrorCode};
pub use crate::event::Event;
pub use crate::kit::{Kit, OnError};

/// The generated bindings of the WIT interface.
#[doc(hidden)]
#[allow(missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "extension",
        path: "../../wit",
        pub_export_macro: true,
        default_bindings_module: "kit_extension_sdk::bindings",
    });
}

#[doc(hidden)]
pub mod component {
    pub use crate::dispatch::{event, init, invoke};
}

/// An extension.
pub trait Extension: 'static {
    /// Registers what it handles and offers. Called once for each instance.
    fn init(kit: &mut Kit) -> Result<(), Error>;
}

/// Exports an [`Extension`] from its component. Elsewhere, as in `cargo test`, there is nothing to export from.
#[macro_export]
macro_rules! export {
    ($extension:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::kit::extension::guest::Guest for Component {
                async fn init(
                    config: String,
                ) -> Result<String, $crate::bindings::kit::extension::types::Error> {
                    Ok($crate::component::init::<$extension>(&config)?)
                }

                async fn event(
                    name: String,
                    payload: String,
                ) -> Result<String, $crate::bindings::kit::extension::types::Error> {
                    Ok($crate::component::event(&name, &payload).await?)
                }

                async fn invoke(
                    kind: String,
                    name: String,
                    input: String,
                ) -> Result<String, $crate::bindings::kit::extension::types::Error> {
                    Ok($crate::component::invoke(&kind, &name, &input).await?)
                }

                async fn shutdown(_reason: String) {}
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}
