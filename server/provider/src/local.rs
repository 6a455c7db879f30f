//! Model servers on this machine: which ones answer, and which models they have.
//!
//! Their usual ports also belong to other programs, so an answer counts only when it looks like the server that is
//! expected there.

use std::time::Duration;

use kit_protocol::{ModelId, ModelInfo};
use reqwest::Url;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::http::{Http, fetch_json};

/// How long a server may take to answer; one that runs on this machine needs a few milliseconds.
const LIMIT: Duration = Duration::from_millis(300);
/// The providers that are asked, in the order in which a default is taken from them.
pub(crate) const PROVIDERS: [&str; 4] = ["ollama", "lmstudio", "llamacpp", "vllm"];

/// The models of one server, or none when it does not answer.
pub(crate) async fn models(http: &Http, endpoint: &Endpoint) -> Vec<ModelInfo> {
    let provider = endpoint.provider.as_str();
    let mut url = endpoint.base_url.clone();
    let path = match provider {
        "ollama" => url.path().trim_end_matches('/').trim_end_matches("/v1").to_owned() + "/api/tags",
        _ => url.path().trim_end_matches('/').to_owned() + "/models",
    };
    url.set_path(&path);
    let listed = fetch_json(http, &Url::clone(&url), LIMIT).await;
    listed.map(|listed| read(provider, &listed)).unwrap_or_default()
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
        if !expected || name.contains("embed") {
            return None;
        }
        let sizes = ["/meta/n_ctx", "/max_model_len", "/meta/n_ctx_train"];
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
        })
    });
    models.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
    fn another_program_on_the_port_is_no_model_server() {
        check("llamacpp", json!({"data": [{"id": 5}]}), &[]);
        check("vllm", json!({"data": [{"id": "user-1", "owned_by": "me"}]}), &[]);
        check("ollama", json!({"status": "ok"}), &[]);
    }
}
