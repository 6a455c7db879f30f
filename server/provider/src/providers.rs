//! The providers that need more than the catalogue says: wire, address, key variables and habits, as data.
//!
//! Every other provider of the catalogue is reached as its line there declares.

use std::borrow::Cow;

use crate::copilot;
use crate::wire::Wire;
use crate::wire::chat::{Effort, Quirks};

/// A provider.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) wire: Wire,
    /// Models of that pattern speak another wire; the first match counts.
    pub(crate) routes: &'static [Route],
    pub(crate) auth: Auth,
    /// The address; `${A|B}` stands for the value of the first of these variables that is set.
    pub(crate) base_url: Cow<'static, str>,
    /// Variables that may hold another base URL.
    pub(crate) base_url_variables: &'static [&'static str],
    /// Variables that may hold the key, in order.
    pub(crate) key_variables: Cow<'static, [&'static str]>,
    pub(crate) key: Key,
    /// The model to begin with when a key is there.
    pub(crate) default_model: Option<&'static str>,
}

/// Models that speak another wire than the rest of their provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// A name in which `*` stands for anything.
    pub(crate) pattern: &'static str,
    pub(crate) wire: Wire,
}

/// How the key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// As the wire has it.
    Wire,
    /// In the header `api-key`.
    ApiKey,
    /// As a bearer token, or instead of it as a signature with the keys of an account.
    Aws,
    /// As a bearer token, or instead of it as one of the application default credentials.
    Google,
    /// As a bearer token that a login was exchanged for.
    Copilot,
}

/// Whether a provider can be used without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Required,
    Optional,
}

const OPENAI: Quirks =
    Quirks { output_limit: "max_completion_tokens", cache_key: Some("prompt_cache_key"), ..Quirks::COMMON };

/// OpenAI's models that reason keep their reasoning between calls only on the Responses wire, and some exist only there.
const RESPONSES_MODELS: &[Route] = &[
    Route { pattern: "*-search-preview", wire: Wire::ChatCompletions(OPENAI) },
    Route { pattern: "*-chat-latest", wire: Wire::ChatCompletions(OPENAI) },
    Route { pattern: "gpt-5*", wire: Wire::Responses },
    Route { pattern: "gpt-6*", wire: Wire::Responses },
    Route { pattern: "o1*", wire: Wire::Responses },
    Route { pattern: "o3*", wire: Wire::Responses },
    Route { pattern: "o4*", wire: Wire::Responses },
    Route { pattern: "*-pro", wire: Wire::Responses },
    Route { pattern: "*codex*", wire: Wire::Responses },
];

/// The endpoints of GitHub Copilot for models that the catalogue does not know.
const COPILOT_MODELS: &[Route] = &[
    Route { pattern: "claude*", wire: Wire::Messages },
    Route { pattern: "gpt-5*", wire: Wire::Responses },
    Route { pattern: "gpt-6*", wire: Wire::Responses },
    Route { pattern: "*codex*", wire: Wire::Responses },
];

const BASE: Provider = Provider {
    id: "",
    name: "",
    wire: Wire::ChatCompletions(Quirks::COMMON),
    routes: &[],
    auth: Auth::Wire,
    base_url: Cow::Borrowed(""),
    base_url_variables: &[],
    key_variables: Cow::Borrowed(&[]),
    key: Key::Required,
    default_model: None,
};

/// In the order in which a default model is looked for.
pub(crate) const PROVIDERS: &[Provider] = &[
    Provider {
        id: "anthropic",
        name: "Anthropic",
        wire: Wire::Messages,
        base_url: Cow::Borrowed("https://api.anthropic.com"),
        base_url_variables: &["ANTHROPIC_BASE_URL"],
        key_variables: Cow::Borrowed(&["ANTHROPIC_API_KEY"]),
        default_model: Some("claude-sonnet-5-5"),
        ..BASE
    },
    Provider {
        id: "openai",
        name: "OpenAI",
        wire: Wire::ChatCompletions(OPENAI),
        routes: RESPONSES_MODELS,
        base_url: Cow::Borrowed("https://api.openai.com/v1"),
        base_url_variables: &["OPENAI_BASE_URL"],
        key_variables: Cow::Borrowed(&["OPENAI_API_KEY"]),
        default_model: Some("gpt-6.1-terra"),
        ..BASE
    },
    Provider {
        id: "google",
        name: "Google Gemini",
        wire: Wire::Gemini,
        base_url: Cow::Borrowed("https://generativelanguage.googleapis.com/v1beta"),
        base_url_variables: &["GOOGLE_GEMINI_BASE_URL"],
        key_variables: Cow::Borrowed(&["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"]),
        default_model: Some("gemini-3.8-flash"),
        ..BASE
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
        base_url: Cow::Borrowed("https://openrouter.ai/api/v1"),
        base_url_variables: &["OPENROUTER_BASE_URL"],
        key_variables: Cow::Borrowed(&["OPENROUTER_API_KEY"]),
        default_model: Some("anthropic/claude-sonnet-5.5"),
        ..BASE
    },
    Provider {
        id: "google-vertex",
        name: "Google Vertex AI",
        wire: Wire::Gemini,
        routes: &[Route { pattern: "claude*", wire: Wire::VertexMessages }],
        auth: Auth::Google,
        base_url: Cow::Borrowed(
            "https://${GOOGLE_VERTEX_LOCATION|GOOGLE_CLOUD_LOCATION}-aiplatform.googleapis.com/v1/projects/${GOOGLE_VERTEX_PROJECT|GOOGLE_CLOUD_PROJECT}/locations/${GOOGLE_VERTEX_LOCATION|GOOGLE_CLOUD_LOCATION}/publishers/google",
        ),
        base_url_variables: &["GOOGLE_VERTEX_BASE_URL"],
        key_variables: Cow::Borrowed(&["GOOGLE_VERTEX_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"]),
        ..BASE
    },
    Provider {
        id: "azure",
        name: "Azure OpenAI",
        wire: Wire::ChatCompletions(OPENAI),
        routes: RESPONSES_MODELS,
        auth: Auth::ApiKey,
        base_url: Cow::Borrowed(
            "https://${AZURE_RESOURCE_NAME|AZURE_OPENAI_RESOURCE}.openai.azure.com/openai/v1",
        ),
        base_url_variables: &["AZURE_OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"],
        key_variables: Cow::Borrowed(&["AZURE_API_KEY", "AZURE_OPENAI_API_KEY"]),
        ..BASE
    },
    Provider {
        id: "amazon-bedrock",
        name: "Amazon Bedrock",
        wire: Wire::Converse,
        auth: Auth::Aws,
        base_url: Cow::Borrowed("https://bedrock-runtime.${AWS_REGION|AWS_DEFAULT_REGION}.amazonaws.com"),
        base_url_variables: &["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"],
        key_variables: Cow::Borrowed(&["AWS_BEARER_TOKEN_BEDROCK"]),
        ..BASE
    },
    Provider {
        id: copilot::ID,
        name: "GitHub Copilot",
        routes: COPILOT_MODELS,
        auth: Auth::Copilot,
        base_url: Cow::Borrowed("https://api.individual.githubcopilot.com"),
        base_url_variables: &["COPILOT_BASE_URL"],
        key_variables: Cow::Borrowed(&["GITHUB_COPILOT_TOKEN"]),
        ..BASE
    },
    Provider {
        id: "ollama",
        name: "Ollama",
        wire: Wire::Ollama,
        base_url: Cow::Borrowed("http://127.0.0.1:11434"),
        base_url_variables: &["OLLAMA_BASE_URL", "OLLAMA_HOST"],
        key_variables: Cow::Borrowed(&["OLLAMA_API_KEY"]),
        key: Key::Optional,
        ..BASE
    },
    Provider {
        id: "lmstudio",
        name: "LM Studio",
        base_url: Cow::Borrowed("http://127.0.0.1:1234/v1"),
        base_url_variables: &["LMSTUDIO_BASE_URL"],
        key_variables: Cow::Borrowed(&["LMSTUDIO_API_KEY"]),
        key: Key::Optional,
        ..BASE
    },
    Provider {
        id: "llamacpp",
        name: "llama.cpp",
        base_url: Cow::Borrowed("http://127.0.0.1:8080/v1"),
        base_url_variables: &["LLAMACPP_BASE_URL"],
        key_variables: Cow::Borrowed(&["LLAMACPP_API_KEY"]),
        key: Key::Optional,
        ..BASE
    },
    Provider {
        id: "vllm",
        name: "vLLM",
        base_url: Cow::Borrowed("http://127.0.0.1:8000/v1"),
        base_url_variables: &["VLLM_BASE_URL"],
        key_variables: Cow::Borrowed(&["VLLM_API_KEY"]),
        key: Key::Optional,
        ..BASE
    },
    CUSTOM,
];

/// Any other server; its address comes from the settings.
pub(crate) const CUSTOM: Provider = Provider {
    id: "custom",
    name: "the custom provider",
    base_url_variables: &["CUSTOM_BASE_URL"],
    key_variables: Cow::Borrowed(&["CUSTOM_API_KEY"]),
    key: Key::Optional,
    ..BASE
};

/// Other names under which a provider is known.
pub(crate) const ALIASES: &[(&str, &str)] = &[
    ("gemini", "google"),
    ("vertex", "google-vertex"),
    ("google-vertex-anthropic", "google-vertex"),
    ("azure-openai", "azure"),
    ("bedrock", "amazon-bedrock"),
    ("copilot", copilot::ID),
];

/// The one id of a provider that has several names.
pub(crate) fn canonical(id: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == id).map_or(id, |(_, id)| id)
}

/// The provider of that id.
pub(crate) fn find(id: &str) -> Option<&'static Provider> {
    let id = canonical(id);
    PROVIDERS.iter().find(|provider| provider.id == id)
}

impl Provider {
    /// The wire that a model of the provider speaks.
    pub(crate) fn wire_of(&self, model: &str) -> Wire {
        let route = self.routes.iter().find(|route| matches(route.pattern, model));
        route.map_or(self.wire, |route| route.wire)
    }
}

/// Whether a name fits a pattern with a star at its start, its end or both.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => name.contains(rest.trim_end_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_speak_the_wire_that_they_have() {
        let wires = |provider: &str, models: &[&str]| -> Vec<Wire> {
            models.iter().map(|model| find(provider).unwrap().wire_of(model)).collect()
        };
        let chat = Wire::ChatCompletions(OPENAI);
        let responses =
            ["gpt-5", "gpt-5.4-mini", "gpt-6-luna", "o3-pro", "o4-mini", "gpt-5-codex", "codex-mini-latest"];
        assert_eq!(wires("openai", &responses), [Wire::Responses; 7]);
        assert_eq!(wires("openai", &["gpt-4.1", "gpt-4o-mini", "gpt-5-chat-latest", "mine"]), [chat; 4]);
        assert_eq!(wires("azure", &["gpt-5", "gpt-4o"]), [Wire::Responses, chat]);
        assert_eq!(wires("gemini", &["gemini-3.8-flash"]), [Wire::Gemini]);
        assert_eq!(wires("ollama", &["gpt-5"]), [Wire::Ollama]);
        assert_eq!(
            wires("vertex", &["claude-opus-4-6@default", "gemini-3.8-flash"]),
            [Wire::VertexMessages, Wire::Gemini]
        );
        assert_eq!(wires("bedrock", &["us.anthropic.claude-sonnet-4-5-v1:0"]), [Wire::Converse]);
        let common = Wire::ChatCompletions(Quirks::COMMON);
        assert_eq!(
            wires("copilot", &["claude-sonnet-4.6", "gpt-5.5", "gpt-4.1"]),
            [Wire::Messages, Wire::Responses, common]
        );
    }

    #[test]
    fn every_alias_names_a_provider() {
        for (alias, id) in ALIASES {
            assert_eq!(find(alias).map(|provider| provider.id), Some(*id));
        }
    }
}
