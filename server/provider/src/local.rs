//! Model servers on this machine: which ones answer, and which models they have.
//!
//! Their usual ports also belong to other programs, so an answer counts only when it looks like the server that is
//! expected there.

use std::time::Duration;

use kit_protocol::{ModelId, ModelInfo};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::http::{Http, ask_json, fetch_json};

/// How long a server may take to answer; one that runs on this machine needs a few milliseconds.
const LIMIT: Duration = Duration::from_millis(300);
/// The providers that are asked, in the order in which a default is taken from them.
pub(crate) const PROVIDERS: [&str; 4] = ["ollama", "lmstudio", "llamacpp", "vllm"];

/// How many models of an Ollama are asked for their true context.
const ASKED: usize = 50;

/// The models of one server, or none when it does not answer.
pub(crate) async fn models(http: &Http, endpoint: &Endpoint) -> Vec<ModelInfo> {
    let provider = endpoint.provider.as_str();
    let at = |path: &str| {
        let mut url = endpoint.base_url.clone();
        url.set_path(&(url.path().trim_end_matches('/').trim_end_matches("/v1").to_owned() + path));
        url
    };
    let usual = {
        let mut url = endpoint.base_url.clone();
        url.set_path(&(url.path().trim_end_matches('/').to_owned() + "/models"));
        url
    };
    let listed = match provider {
        "ollama" => fetch_json(http, &at("/api/tags"), LIMIT).await,
        // The list of its own says how much context a model was loaded with.
        "lmstudio" => match fetch_json(http, &at("/api/v0/models"), LIMIT).await {
            Some(listed) => Some(listed),
            None => fetch_json(http, &usual, LIMIT).await,
        },
        _ => fetch_json(http, &usual, LIMIT).await,
    };
    let mut models = listed.map(|listed| read(provider, &listed)).unwrap_or_default();
    if provider == "ollama" {
        let url = at("/api/show");
        let shown = models
            .iter()
            .take(ASKED)
            .map(async |model| ask_json(http, &url, &json!({"model": model.id.name()}), LIMIT).await);
        let shown = futures::future::join_all(shown).await;
        for (model, shown) in models.iter_mut().zip(shown) {
            describe(model, &shown.unwrap_or_default());
        }
    }
    models
}

/// What an Ollama says about one of its models.
fn describe(model: &mut ModelInfo, shown: &Value) {
    let facts = shown.get("model_info").and_then(Value::as_object).into_iter().flatten();
    let length =
        facts.filter(|(name, _)| name.ends_with(".context_length")).find_map(|(_, value)| value.as_u64());
    model.context_window = length.unwrap_or(model.context_window);
    if let Some(abilities) = shown.get("capabilities").and_then(Value::as_array) {
        model.reasoning = abilities.iter().any(|ability| ability == "thinking");
    }
}

/// The models of a list that a server sent.
fn read(provider: &str, listed: &Value) -> Vec<ModelInfo> {
    let (list, id) = if provider == "ollama" { ("models", "name") } else { ("data", "id") };
    let models = listed.get(list).and_then(Value::as_array).into_iter().flatten();
    let models = models.filter_map(|model| {
        let name = model.get(id)?.as_str()?;
        let owner = model.get("owned_by").and_then(Value::as_str);
        let expected = match provider {
            "llamacpp" => owner == Some("llamacpp"),
            "vllm" => owner == Some("vllm"),
            _ => true,
        };
        if !expected || name.contains("embed") || model.get("type").is_some_and(|kind| kind == "embeddings") {
            return None;
        }
        let sizes = [
            "/meta/n_ctx",
            "/loaded_context_length",
            "/max_model_len",
            "/meta/n_ctx_train",
            "/max_context_length",
        ];
        let context_window = sizes.iter().find_map(|size| model.pointer(size)?.as_u64()).unwrap_or_default();
        let id: ModelId = format!("{provider}/{name}").parse().ok()?;
        Some(ModelInfo {
            id,
            provider: provider.to_owned(),
            name: name.rsplit('/').next().unwrap_or(name).to_owned(),
            context_window,
            max_output: 0,
            reasoning: true,
            price: None,
            note: None,
        })
    });
    models.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(provider: &str, listed: Value, expected: &[(&str, u64)]) {
        let models = read(provider, &listed);
        let found: Vec<(String, u64)> =
            models.iter().map(|model| (model.id.to_string(), model.context_window)).collect();
        let expected: Vec<(String, u64)> =
            expected.iter().map(|(id, size)| ((*id).to_owned(), *size)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_the_list_of_each_server() {
        check(
            "ollama",
            json!({"models": [{"name": "qwen3:8b"}, {"name": "nomic-embed-text"}]}),
            &[("ollama/qwen3:8b", 0)],
        );
        check(
            "lmstudio",
            json!({"data": [{"id": "openai/gpt-oss-20b"}]}),
            &[("lmstudio/openai/gpt-oss-20b", 0)],
        );
        let llama = json!({"data": [{"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx_train": 4096, "n_ctx": 2048}}]});
        check("llamacpp", llama, &[("llamacpp/tiny", 2048)]);
        check(
            "vllm",
            json!({"data": [{"id": "a/b", "owned_by": "vllm", "max_model_len": 99}]}),
            &[("vllm/a/b", 99)],
        );
    }

    #[test]
    fn true_context_and_abilities_are_taken_over() {
        let own = json!({"data": [
            {"id": "qwen", "type": "llm", "max_context_length": 131_072, "loaded_context_length": 4096},
            {"id": "idle", "type": "vlm", "max_context_length": 32_768},
            {"id": "vectors", "type": "embeddings"},
        ]});
        check("lmstudio", own, &[("lmstudio/qwen", 4096), ("lmstudio/idle", 32_768)]);
        let mut model = read("ollama", &json!({"models": [{"name": "m"}]})).remove(0);
        describe(
            &mut model,
            &json!({"model_info": {"llama.context_length": 8192}, "capabilities": ["tools"]}),
        );
        assert_eq!((model.context_window, model.reasoning), (8192, false));
        describe(&mut model, &Value::Null);
        assert_eq!((model.context_window, model.reasoning), (8192, false));
    }

    #[test]
    fn another_program_on_the_port_is_no_model_server() {
        check("llamacpp", json!({"data": [{"id": 5}]}), &[]);
        check("vllm", json!({"data": [{"id": "user-1", "owned_by": "me"}]}), &[]);
        check("ollama", json!({"status": "ok"}), &[]);
    }
}
