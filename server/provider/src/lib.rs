//! Talking to language models: requests go in, typed events come out, with tokens and cost.
//!
//! The crate knows no session, tool implementation, file of a workspace or editor, and a program of twenty lines can
//! use it alone (`examples/one_prompt.rs`). [`Models`] turns an id into a [`Model`]; [`Model::stream`] is one attempt
//! at an answer; [`retry::Schedule`] says when to try again.

pub mod auth;
mod aws;
mod catalogue;
mod classify;
mod copilot;
mod endpoint;
mod environment;
mod error;
mod fetch;
mod files;
mod framing;
mod google;
mod http;
mod local;
mod model;
mod models;
mod overflow;
mod providers;
mod pump;
mod rate;
mod recorded;
mod remote;
pub mod retry;
mod scripted;
mod settings;
pub mod sse;
mod token;
mod update;
mod usage;
mod wire;

pub use classify::OVERFLOW_MEND;
pub use environment::Environment;
pub use error::{ModelError, Retry};
pub use fetch::{AddressGate, FetchError, FetchRequest, FetchResponse, Fetcher};
pub use http::{ConnectionStats, Connector};
pub use model::{Completion, Model, ModelEvent, ModelStream, Parameters, Request, ToolDefinition};
pub use models::{Models, ProviderListing};
pub use rate::{Allowance, RateLimits};
pub use settings::{ConnectionSettings, CustomModel, ProviderOverride, ProviderSettings};
pub use token::{Token, TokenSource};
pub use usage::{Cost, TokenCounts};
