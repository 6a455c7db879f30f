//! The providers that are known without settings: wire, address, key variables and habits, as data.

use crate::wire::Wire;
use crate::wire::chat::{Effort, Quirks};

/// A provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Provider {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) wire: Wire,
    pub(crate) base_url: &'static str,
    /// Variables that may hold another base URL.
    pub(crate) base_url_variables: &'static [&'static str],
    /// Variables that may hold the key, in order.
    pub(crate) key_variables: &'static [&'static str],
    pub(crate) key: Key,
    /// The model to begin with when a key is there.
    pub(crate) default_model: Option<&'static str>,
}

/// Whether a provider can be used without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Required,
    Optional,
}

const LOCAL: Quirks = Quirks::COMMON;

/// In the order in which a default model is looked for.
pub(crate) const PROVIDERS: &[Provider] = &[
    Provider {
        id: "anthropic",
        name: "Anthropic",
        wire: Wire::Messages,
        base_url: "https://api.anthropic.com",
        base_url_variables: &["ANTHROPIC_BASE_URL"],
        key_variables: &["ANTHROPIC_API_KEY"],
        key: Key::Required,
        default_model: Some("claude-sonnet-5-5"),
    },
    Provider {
        id: "openai",
        name: "OpenAI",
        wire: Wire::ChatCompletions(Quirks {
            output_limit: "max_completion_tokens",
            cache_key: Some("prompt_cache_key"),
            ..Quirks::COMMON
        }),
        base_url: "https://api.openai.com/v1",
        base_url_variables: &["OPENAI_BASE_URL"],
        key_variables: &["OPENAI_API_KEY"],
        key: Key::Required,
        default_model: Some("gpt-6.1-terra"),
    },
    Provider {
        id: "google",
        name: "Google Gemini",
        wire: Wire::ChatCompletions(Quirks {
            thought_signature: Some("skip_thought_signature_validator"),
            ..Quirks::COMMON
        }),
        base_url: "https://generativelanguage.googleapis.com/v1beta/openai",
        base_url_variables: &[],
        key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
        key: Key::Required,
        default_model: Some("gemini-3.8-flash"),
    },
    Provider {
        id: "openrouter",
        name: "OpenRouter",
        wire: Wire::ChatCompletions(Quirks {
            effort: Effort::Object,
            reports_cost: true,
            returns_details: true,
            cache_breakpoints: &["anthropic/"],
            ..Quirks::COMMON
        }),
        base_url: "https://openrouter.ai/api/v1",
        base_url_variables: &["OPENROUTER_BASE_URL"],
        key_variables: &["OPENROUTER_API_KEY"],
        key: Key::Required,
        default_model: Some("anthropic/claude-sonnet-5.5"),
    },
    Provider {
        id: "ollama",
        name: "Ollama",
        wire: Wire::ChatCompletions(LOCAL),
        base_url: "http://127.0.0.1:11434/v1",
        base_url_variables: &["OLLAMA_BASE_URL", "OLLAMA_HOST"],
        key_variables: &["OLLAMA_API_KEY"],
        key: Key::Optional,
        default_model: None,
    },
    Provider {
        id: "lmstudio",
        name: "LM Studio",
        wire: Wire::ChatCompletions(LOCAL),
        base_url: "http://127.0.0.1:1234/v1",
        base_url_variables: &["LMSTUDIO_BASE_URL"],
        key_variables: &["LMSTUDIO_API_KEY"],
        key: Key::Optional,
        default_model: None,
    },
    Provider {
        id: "llamacpp",
        name: "llama.cpp",
        wire: Wire::ChatCompletions(LOCAL),
        base_url: "http://127.0.0.1:8080/v1",
        base_url_variables: &["LLAMACPP_BASE_URL"],
        key_variables: &["LLAMACPP_API_KEY"],
        key: Key::Optional,
        default_model: None,
    },
    Provider {
        id: "vllm",
        name: "vLLM",
        wire: Wire::ChatCompletions(LOCAL),
        base_url: "http://127.0.0.1:8000/v1",
        base_url_variables: &["VLLM_BASE_URL"],
        key_variables: &["VLLM_API_KEY"],
        key: Key::Optional,
        default_model: None,
    },
    CUSTOM,
];

/// Any other server; its address comes from the settings.
pub(crate) const CUSTOM: Provider = Provider {
    id: "custom",
    name: "the custom provider",
    wire: Wire::ChatCompletions(Quirks::COMMON),
    base_url: "",
    base_url_variables: &["CUSTOM_BASE_URL"],
    key_variables: &["CUSTOM_API_KEY"],
    key: Key::Optional,
    default_model: None,
};

/// The provider of that id.
pub(crate) fn find(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.id == id)
}
