//! Settings: one struct from which the schema, the VS Code manifest and the documentation are generated.
//!
//! Files use upstream Kit's kebab-case names, JSON clients may use camelCase; both are accepted. Every field is
//! optional, because layers are merged field by field: the later layer wins, maps are merged by key, lists replaced.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{McpServer, Mode, ThinkingLevel};

/// The settings of one layer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The model, written as provider/name, for example anthropic/claude-sonnet-4-6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What the agent may do without asking: plan, ask, edit or auto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How much the model reasons before it answers.
    #[serde(default, alias = "thinking-level", skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<ThinkingLevel>,
    /// The largest answer in tokens.
    #[serde(default, alias = "max-tokens", skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Sampling temperature; sent only when set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling; sent only when set.
    #[serde(default, alias = "top-p", skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Texts at which the model stops.
    #[serde(default, alias = "stop-sequences", skip_serializing_if = "Option::is_none")]
    pub stop_sequences: Option<Vec<String>>,
    /// The largest number of model calls in a turn; 0 means no limit.
    #[serde(default, alias = "max-steps", skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u32>,
    /// The base URL of the provider, instead of its own.
    #[serde(default, alias = "provider-url", skip_serializing_if = "Option::is_none")]
    pub provider_url: Option<String>,
    /// The wire that the server at providerUrl speaks: openai-compat, openai, anthropic, google, ollama or bedrock.
    /// With it the model keeps its provider; without it a server at providerUrl is the provider custom.
    #[serde(default, alias = "provider-wire", skip_serializing_if = "Option::is_none")]
    pub provider_wire: Option<String>,
    /// The provider's key; better kept in an environment variable.
    #[serde(default, alias = "provider-api-key", skip_serializing_if = "Option::is_none")]
    pub provider_api_key: Option<Secret>,
    /// Accept any certificate of a model server. Whoever is on the way can then read and change everything, keys included.
    #[serde(default, alias = "tls-skip-verify", skip_serializing_if = "Option::is_none")]
    pub tls_skip_verify: Option<bool>,
    /// Files with further certificates (PEM) to trust, such as the one of a company's proxy.
    #[serde(default, alias = "ca-certificates", skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<Vec<String>>,
    /// The proxy for requests to model providers, instead of the one of the environment; `none` for no proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Secret>,
    /// Providers (anthropic, openai, github-copilot) at which requests may carry the name of the vendor's own product, as
    /// subscriptions there demand. Their terms may forbid it to others: the account is at risk.
    #[serde(default, alias = "borrowed-identity", skip_serializing_if = "Option::is_none")]
    pub borrowed_identity: Option<Vec<String>>,
    /// Where the secrets of new logins are kept: file (for the user alone) or keychain (of the system).
    #[serde(default, alias = "credential-store", skip_serializing_if = "Option::is_none")]
    pub credential_store: Option<CredentialStore>,
    /// Further providers, or other addresses and keys of known ones, by provider id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<BTreeMap<String, ProviderOverride>>,
    /// Models of servers that Kit does not know, by name; used as custom/name.
    #[serde(default, alias = "custom-models", skip_serializing_if = "Option::is_none")]
    pub custom_models: Option<BTreeMap<String, CustomModel>>,
    /// Instructions added to the built-in ones.
    #[serde(default, alias = "system-prompt", skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Seconds after which a shell command is stopped when the model names no limit.
    #[serde(default, alias = "bash-timeout", skip_serializing_if = "Option::is_none")]
    pub bash_timeout: Option<u64>,
    /// The largest limit in seconds that the model may name for a shell command.
    #[serde(default, alias = "bash-max-timeout", skip_serializing_if = "Option::is_none")]
    pub bash_max_timeout: Option<u64>,
    /// Only these built-in tools.
    #[serde(default, alias = "include-core-tools", skip_serializing_if = "Option::is_none")]
    pub include_core_tools: Option<Vec<String>>,
    /// All built-in tools but these.
    #[serde(default, alias = "exclude-core-tools", skip_serializing_if = "Option::is_none")]
    pub exclude_core_tools: Option<Vec<String>>,
    /// Further skills: files, or folders that hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<Vec<String>>,
    /// A further folder of skills.
    #[serde(default, alias = "skills-dir", skip_serializing_if = "Option::is_none")]
    pub skills_dir: Option<String>,
    /// Names of skills that are left out.
    #[serde(default, alias = "skill-disable", skip_serializing_if = "Option::is_none")]
    pub skill_disable: Option<Vec<String>>,
    /// Whether all skills are left out.
    #[serde(default, alias = "no-skills", skip_serializing_if = "Option::is_none")]
    pub no_skills: Option<bool>,
    /// Further prompt templates: files, or folders that hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompts: Option<Vec<String>>,
    /// More of the same, which wins over `prompts`.
    #[serde(default, alias = "prompt-template", skip_serializing_if = "Option::is_none")]
    pub prompt_template: Option<Vec<String>>,
    /// Whether all prompt templates are left out.
    #[serde(default, alias = "no-prompt-templates", skip_serializing_if = "Option::is_none")]
    pub no_prompt_templates: Option<bool>,
    /// Further extensions: files, or folders that hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<Vec<String>>,
    /// Whether all extensions are left out.
    #[serde(default, alias = "no-extensions", skip_serializing_if = "Option::is_none")]
    pub no_extensions: Option<bool>,
    /// Values of options that extensions registered, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, String>>,
    /// Servers of the Model Context Protocol, by name.
    #[serde(default, alias = "mcp-servers", skip_serializing_if = "Option::is_none")]
    pub mcp_servers: Option<BTreeMap<String, McpServer>>,
    /// Whether the files of named agents are left out.
    #[serde(default, alias = "no-agents", skip_serializing_if = "Option::is_none")]
    pub no_agents: Option<bool>,
    /// How many subagents of one session run at once; further ones wait. 5 unless set.
    #[serde(default, alias = "max-subagents", skip_serializing_if = "Option::is_none")]
    pub max_subagents: Option<u32>,
    /// Rules for tool calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionRules>,
    /// What may be spent before the user is asked: per turn, per session, and per day over all sessions of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budgets>,
    /// Whether a conversation that fills the model's context is summarized before the next call; on unless set to false.
    #[serde(default, alias = "auto-compact", skip_serializing_if = "Option::is_none")]
    pub auto_compact: Option<bool>,
    /// How a conversation is summarized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compaction: Option<CompactionSettings>,
    /// When identical tool calls with identical results are taken for a loop.
    #[serde(default, alias = "repeated-calls", skip_serializing_if = "Option::is_none")]
    pub repeated_calls: Option<RepeatedCalls>,
    /// Whether a file that was saved before an edit is saved after it.
    #[serde(default, alias = "save-after-edit", skip_serializing_if = "Option::is_none")]
    pub save_after_edit: Option<SaveAfterEdit>,
    /// Files whose changes are kept at once, without a review: globs of names, or of paths from the root. `**` is all.
    #[serde(default, alias = "auto-keep", skip_serializing_if = "Option::is_none")]
    pub auto_keep: Option<Vec<String>>,
}

/// A text that may hold a key. `Debug` does not show it; whoever needs it takes it out by name.
// Nothing that holds one can be serialized, so that no settings are written by the way.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialStore {
    /// In a file that only the user may read.
    #[default]
    File,
    /// In the keychain of the system.
    Keychain,
}

/// When an edited document is saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SaveAfterEdit {
    /// When it had no unsaved changes before the edit.
    #[default]
    IfWasClean,
    /// Never.
    Never,
}

/// What may be spent before the user is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budgets {
    /// In one turn, its subagents included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Budget>,
    /// In one session, its subagents included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Budget>,
    /// On one calendar day, over all sessions of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Budget>,
}

/// A limit in money, in tokens, or in both; the one that is reached first counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// USD. Calls of models without a known price, or paid by a subscription, do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Tokens read and written, cached ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// How a conversation is summarized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompactionSettings {
    /// Tokens of the context window that stay free for the answer; without it, as much as the model can answer and at
    /// most 16384.
    #[serde(default, alias = "reserve-tokens", skip_serializing_if = "Option::is_none")]
    pub reserve_tokens: Option<u64>,
    /// Tokens of the last messages that stay as they are; without it, a quarter of the usable window.
    #[serde(default, alias = "keep-tokens", skip_serializing_if = "Option::is_none")]
    pub keep_tokens: Option<u64>,
    /// The model that writes the summary, written as provider/name; without it, the session's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// When identical tool calls with identical results are taken for a loop. They are counted within a turn; 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepeatedCalls {
    /// At so many the model is told; without it, at 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<u32>,
    /// At so many the user is asked, and the turn ends when nobody answers; without it, at 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<u32>,
}

/// Address, wire and keys of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderOverride {
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The wire that it speaks: openai-compat, openai, anthropic, google, ollama or bedrock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<String>,
    /// The base URL.
    #[serde(default, alias = "base-url", skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Environment variables that may hold the key, in order.
    #[serde(default, alias = "api-key-env", skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<Vec<String>>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, Secret>>,
    /// How one logs in there with an account, where that differs from what Kit knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginSettings>,
}

/// How one logs in at a provider with an account (OAuth 2.0).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginSettings {
    /// The client id that the provider gave to you.
    #[serde(default, alias = "client-id", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What is asked for, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// The page where the browser logs in.
    #[serde(default, alias = "authorize-url", skip_serializing_if = "Option::is_none")]
    pub authorize_url: Option<String>,
    /// Where tokens come from.
    #[serde(default, alias = "token-url", skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// Where codes for other devices come from; with it the login needs no browser on this machine.
    #[serde(default, alias = "device-url", skip_serializing_if = "Option::is_none")]
    pub device_url: Option<String>,
    /// Where the token of an account at GitHub is exchanged for one of Copilot.
    #[serde(default, alias = "exchange-url", skip_serializing_if = "Option::is_none")]
    pub exchange_url: Option<String>,
    /// The port that the browser comes back to; 0 for any.
    #[serde(default, alias = "redirect-port", skip_serializing_if = "Option::is_none")]
    pub redirect_port: Option<u16>,
    /// Where requests with such a login go.
    #[serde(default, alias = "base-url", skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

/// A model that the catalogue does not know.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomModel {
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The base URL of its server, instead of the one of the custom provider.
    #[serde(default, alias = "base-url", skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The key of its server; better kept in an environment variable.
    #[serde(default, alias = "api-key", skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// The name that its server knows, where that is another one.
    #[serde(default, alias = "api-model-name", skip_serializing_if = "Option::is_none")]
    pub api_model_name: Option<String>,
    /// Whether it can reason.
    #[serde(default)]
    pub reasoning: bool,
    /// Its limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<CustomLimit>,
    /// What it costs; without it the cost is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CustomCost>,
}

/// Limits of a model in tokens; 0 means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomLimit {
    /// Context window.
    #[serde(default)]
    pub context: u64,
    /// Largest answer.
    #[serde(default)]
    pub output: u64,
}

/// Prices in USD per million tokens, as models.dev has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomCost {
    /// Fresh input.
    pub input: f64,
    /// Output, reasoning included.
    pub output: f64,
    /// Input read from the cache.
    #[serde(default, alias = "cache_read", skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// Input written to the cache.
    #[serde(default, alias = "cache_write", skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
}

/// Rules for tool calls, written `Tool` or `Tool(pattern)`: `Bash(cargo test:*)`, `Edit(src/**)`, `Read(~/notes/**)`.
/// Deny beats ask, ask beats allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionRules {
    /// Calls that never run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Calls that always ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<String>,
    /// Calls that run without asking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_settings_shows_no_key() {
        let text = r#"{
            "providerApiKey": "planted", "proxy": "http://me:planted@proxy:1",
            "providers": {"p": {"headers": {"x-token": "planted"}}},
            "customModels": {"m": {"api-key": "planted"}}
        }"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        let shown = format!("{settings:?}");
        assert!(!shown.contains("planted") && shown.contains("[secret]"), "{shown}");
        assert_eq!(settings.provider_api_key.unwrap().expose(), "planted");
    }
}
