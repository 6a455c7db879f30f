//! What extensions and their host say to each other, as plain data with its JSON schema.
//!
//! The WIT interface has six functions and is frozen; what travels through it is JSON, and this crate is that JSON:
//! [`Configuration`] and [`Registration`] of `init`, payload and answer of each event in [`EVENTS`], parameters and
//! result of each host method in [`METHODS`], input and output of each kind of `invoke` in [`INVOCATIONS`]. The host
//! and the Rust SDK use these types as they are; schemas and TypeScript declarations are generated from them. It knows
//! nothing else of the product, so that it compiles into an extension as well.
//!
//! It grows by optional fields, further events and further methods; unknown fields are ignored on both sides.

#[macro_use]
mod data;
mod event;
mod invoke;
mod method;
mod permission;
mod registration;
pub mod schema;
mod table;

pub use event::*;
pub use invoke::*;
pub use method::*;
pub use permission::*;
pub use registration::*;
pub use table::{
    Door, EVENTS, EventInfo, INVOCATIONS, InvocationInfo, METHODS, MethodInfo, Part, Permit, SchemaOf,
};

/// The version of the contract that the host speaks, told in [`Configuration::api`].
pub const API_VERSION: u32 = 1;

/// The field of every method's parameters that names the session that the call is about, as its handler's context
/// did. Calls of one extension wait beside each other, so the host cannot tell by itself; without the field it takes
/// the session that was last heard of.
pub const SESSION_PARAMETER: &str = "session";

/// The prefix of the names of custom events: `custom:<name>`.
pub const CUSTOM_EVENT: &str = "custom:";
