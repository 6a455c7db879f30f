//! `kit.auth.*`: how it is with keys and logins, never with a secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Argument of `kit.auth.status`, `.login` and `.logout`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthArguments {
    /// The provider; for the status all that matter, for the others the one that the user then picks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Answer of `kit.auth.status`, `.login` and `.logout`: how it is right now. A login that was started goes on by itself and
/// is `pending` until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthAnswer {
    /// The providers.
    pub providers: Vec<AuthProvider>,
}

/// The login at one provider, without any secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthProvider {
    /// The provider.
    pub id: String,
    /// Whether requests can be sent.
    pub state: AuthState,
    /// Where the key or token comes from: `flag`, `stored`, `environment`, `machine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<AuthSource>,
    /// The account at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When the token ends, RFC 3339; it is renewed before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// One sentence on how it is, for people.
    pub detail: String,
    /// What `kit.auth.login` logs in with, such as `a ChatGPT subscription`; absent where there are keys alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Whether a key can be stored, with `kit-ls auth login` in a terminal.
    #[serde(default)]
    pub takes_key: bool,
}

/// Whether requests to a provider can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthState {
    /// There is a key or a token, or none is needed.
    SignedIn,
    /// There is neither.
    SignedOut,
    /// There is a login that the settings do not let be used.
    Refused,
    /// The user is about to log in.
    Pending,
}

/// Where a key or token comes from; an earlier one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthSource {
    /// The setting `provider-api-key` or its flag.
    Flag,
    /// A stored login.
    Stored,
    /// An environment variable.
    Environment,
    /// An account of another program or of the machine.
    Machine,
}
