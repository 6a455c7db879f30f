//! Limits of the built-in tools.

use std::time::Duration;

use kit_protocol::Settings;

use crate::sandbox::Sandbox;

/// The limit of a command when neither the model nor the settings name one.
const BASH_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest limit that the model may name.
const BASH_MAX_TIMEOUT: Duration = Duration::from_secs(600);

/// What the tools need to know of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSettings {
    /// The limit of a command when the model names none.
    pub bash_timeout: Duration,
    /// The largest limit that the model may name.
    pub bash_max_timeout: Duration,
    /// Environment variables that commands must not see, beside the keys of known providers.
    pub private_variables: Vec<String>,
    /// How commands are confined, where this machine can.
    pub sandbox: Option<Sandbox>,
    /// Whether the current call must be confined; set for each call by what allowed it.
    pub confinement: Confinement,
}

/// Whether a command runs in the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// It does not: the user or a rule allowed it.
    #[default]
    Free,
    /// It does: only the mode allowed it.
    Sandboxed,
}

impl Default for ToolSettings {
    fn default() -> Self {
        Self::new(&Settings::default(), None)
    }
}

impl ToolSettings {
    /// The limits of the settings; a default above the maximum is lowered to it.
    pub fn new(settings: &Settings, sandbox: Option<Sandbox>) -> Self {
        let seconds = |value: Option<u64>, default| {
            value.filter(|value| *value > 0).map_or(default, Duration::from_secs)
        };
        let bash_max_timeout = seconds(settings.bash_max_timeout, BASH_MAX_TIMEOUT);
        let private_variables = settings
            .providers
            .iter()
            .flat_map(|providers| providers.values())
            .flat_map(|provider| provider.api_key_env.iter().flatten().cloned())
            .collect();
        Self {
            bash_timeout: seconds(settings.bash_timeout, BASH_TIMEOUT).min(bash_max_timeout),
            bash_max_timeout,
            private_variables,
            sandbox,
            confinement: Confinement::Free,
        }
    }
}
