//! The models of GitHub Copilot as its own server lists them: which plan has which, by which endpoint each is reached, and
//! how its use counts.
//!
//! The last answer lies in a file beside the user's list, as it came, and is read when a model of Copilot is first looked
//! up. What it says wins; abilities that it does not tell, such as the habits of a wire, are those of the table.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Abilities, Entry};
use crate::files::{Access, replace};
use crate::wire::Wire;
use crate::wire::chat::Quirks;

/// For how long a list is taken as it is.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// The list of the server.
#[derive(Debug)]
pub(crate) struct Served {
    file: Option<PathBuf>,
    /// `None` as long as the file was not read.
    list: RwLock<Option<Arc<Vec<ServedModel>>>>,
}

/// One model of the list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServedModel {
    id: String,
    name: String,
    context_window: u64,
    max_output: u64,
    supports: Value,
    /// The paths that it is reached by; empty when the server does not tell.
    endpoints: Vec<String>,
    /// Whether people shall be offered it.
    is_offered: bool,
    note: Option<String>,
}

impl Served {
    /// The list in that file, which need not exist.
    pub(super) fn at(file: Option<PathBuf>) -> Self {
        Self { file, list: RwLock::default() }
    }

    fn list(&self) -> Arc<Vec<ServedModel>> {
        if let Some(list) = &*self.list.read().unwrap_or_else(PoisonError::into_inner) {
            return Arc::clone(list);
        }
        let text = self.file.as_deref().and_then(|file| std::fs::read_to_string(file).ok());
        let list = text.and_then(|text| serde_json::from_str(&text).ok()).map(|answer| read(&answer));
        let list = Arc::new(list.unwrap_or_default());
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&list));
        list
    }

    /// Whether the list was asked for not long ago.
    pub(crate) fn is_fresh(&self) -> bool {
        let modified = |file: &Path| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
        let age =
            self.file.as_deref().and_then(modified).and_then(|at| SystemTime::now().duration_since(at).ok());
        age.is_some_and(|age| age < FRESH)
    }

    /// Takes over an answer of the server and tells whether it lists models. One that does not changes nothing.
    pub(crate) fn take(&self, answer: &Value) -> std::io::Result<bool> {
        let list = read(answer);
        if list.is_empty() {
            return Ok(false);
        }
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(list));
        if let Some(file) = &self.file {
            replace(file, answer.to_string().as_bytes(), Access::Usual)?;
        }
        Ok(true)
    }

    /// Forgets the list, because it belongs to a login that is gone.
    pub(crate) fn forget(&self) {
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::default());
        if let Some(Err(error)) = self.file.as_deref().map(std::fs::remove_file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the list of models of GitHub Copilot stays behind");
        }
    }

    /// The model of that name.
    pub(super) fn find(&self, id: &str) -> Option<ServedModel> {
        self.list().iter().find(|model| model.id == id).cloned()
    }

    /// The models that people shall be offered, in the server's order; none when there is no list.
    pub(super) fn offered(&self) -> Vec<ServedModel> {
        self.list().iter().filter(|model| model.is_offered).cloned().collect()
    }
}

impl ServedModel {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What is known of it together with the line of the table. The plan pays, so there is no price.
    pub(super) fn entry(self, known: Option<Entry>) -> Entry {
        let abilities = self.abilities(known.as_ref().map(|known| known.abilities));
        Entry {
            id: self.id,
            name: self.name,
            context_window: self.context_window,
            max_output: self.max_output,
            abilities,
            prices: None,
            route: known.map_or(0, |known| known.route),
            note: self.note,
        }
    }

    fn abilities(&self, known: Option<Abilities>) -> Abilities {
        let can = |name: &str| self.supports.get(name).and_then(Value::as_bool);
        let efforts: Option<Vec<&str>> = self
            .supports
            .get("reasoning_effort")
            .and_then(Value::as_array)
            .map(|efforts| efforts.iter().filter_map(Value::as_str).collect())
            .filter(|efforts: &Vec<&str>| !efforts.is_empty());
        let budget =
            self.supports.get("max_thinking_budget").and_then(Value::as_u64).is_some_and(|most| most > 0);
        let adaptive = can("adaptive_thinking");
        let base = known.unwrap_or(Abilities { reasoning: false, ..Abilities::UNKNOWN });
        let told = efforts.is_some() || budget || adaptive == Some(true);
        let mut abilities = Abilities {
            images: can("vision").unwrap_or(base.images),
            reasoning: base.reasoning || told,
            adaptive: adaptive.unwrap_or(base.adaptive),
            known: true,
            ..base
        };
        if let Some(efforts) = efforts {
            let has = |effort: &str| efforts.contains(&effort);
            abilities.effort_none = has("none");
            abilities.effort_minimal = has("minimal");
            abilities.no_low = !has("low");
            abilities.no_medium = !has("medium");
        }
        abilities
    }

    /// The wire that it is reached by: the usual one if the server has it for this model, else the best that it has. `None`
    /// when the server does not tell or has none that is known.
    pub(super) fn wire(&self, usual: Option<Wire>) -> Option<Wire> {
        let has = |path: &str| self.endpoints.iter().any(|endpoint| endpoint == path);
        let wires = [
            ("/v1/messages", Wire::Messages),
            ("/responses", Wire::Responses),
            ("/chat/completions", Wire::ChatCompletions(Quirks::COMMON)),
        ];
        let same =
            |wire: Wire| usual.filter(|usual| std::mem::discriminant(usual) == std::mem::discriminant(&wire));
        let served = wires.into_iter().filter(|(path, _)| has(path)).map(|(_, wire)| wire);
        served.clone().find_map(same).or_else(|| served.clone().next())
    }
}

/// The models of an answer that can hold a conversation with tools.
fn read(answer: &Value) -> Vec<ServedModel> {
    let listed = answer.get("data").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(model).collect()
}

fn model(listed: &Value) -> Option<ServedModel> {
    let text = |pointer: &str| listed.pointer(pointer).and_then(Value::as_str);
    let number = |pointer: &str| listed.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let id = text("/id").filter(|id| !id.is_empty() && !id.contains(char::is_whitespace))?;
    let supports = listed.pointer("/capabilities/supports").cloned().unwrap_or_default();
    let is_chat = text("/capabilities/type").is_none_or(|kind| kind == "chat");
    let calls = supports.get("tool_calls").and_then(Value::as_bool).unwrap_or(true);
    if !is_chat || !calls {
        return None;
    }
    let max_output = number("/capabilities/limits/max_output_tokens");
    let whole = number("/capabilities/limits/max_context_window_tokens");
    // The prompt has a limit of its own, which may be smaller than what the window leaves for it.
    let context_window = match number("/capabilities/limits/max_prompt_tokens") {
        0 => whole,
        prompt if whole == 0 => prompt + max_output,
        prompt => whole.min(prompt + max_output),
    };
    let endpoints = listed.get("supported_endpoints").and_then(Value::as_array).into_iter().flatten();
    let endpoints: Vec<String> = endpoints.filter_map(|path| path.as_str().map(str::to_owned)).collect();
    Some(ServedModel {
        id: id.to_owned(),
        name: text("/name").unwrap_or(id).to_owned(),
        context_window,
        max_output,
        supports,
        endpoints,
        is_offered: listed.get("model_picker_enabled").and_then(Value::as_bool).unwrap_or(true),
        note: note(listed),
    })
}

/// How its use counts, and whether it must be turned on first.
fn note(listed: &Value) -> Option<String> {
    let state = listed.pointer("/policy/state").and_then(Value::as_str);
    if state.is_some_and(|state| state != "enabled") {
        return Some("off until you turn it on in the Copilot settings of GitHub".to_owned());
    }
    match listed.pointer("/billing/multiplier").and_then(Value::as_f64)? {
        0.0 => Some("part of the plan".to_owned()),
        1.0 => Some("a premium request".to_owned()),
        many => Some(format!("{many} premium requests")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn served(more: Value) -> Option<ServedModel> {
        let mut listed = json!({"id": "m", "name": "The M", "capabilities": {"type": "chat", "supports": {"tool_calls": true}}});
        for (name, value) in more.as_object().unwrap() {
            listed[name] = value.clone();
        }
        model(&listed)
    }

    #[test]
    fn limits_leave_room_for_the_largest_prompt_that_is_taken() {
        let check = |limits: Value, expected: (u64, u64)| {
            let capabilities = json!({"type": "chat", "limits": limits});
            let model = served(json!({"capabilities": capabilities})).unwrap();
            assert_eq!((model.context_window, model.max_output), expected);
        };
        let limits = |window: u64, prompt: u64, output: u64| json!({"max_context_window_tokens": window, "max_prompt_tokens": prompt, "max_output_tokens": output});
        check(limits(216_000, 128_000, 16_000), (144_000, 16_000));
        check(limits(128_000, 120_000, 16_384), (128_000, 16_384));
        check(json!({"max_context_window_tokens": 200_000}), (200_000, 0));
        check(json!({}), (0, 0));
    }

    #[test]
    fn what_holds_no_conversation_with_tools_is_left_out() {
        assert!(served(json!({"capabilities": {"type": "embeddings"}})).is_none());
        assert!(served(json!({"capabilities": {"supports": {"tool_calls": false}}})).is_none());
        assert!(served(json!({"id": "a b"})).is_none());
        assert!(served(json!({"id": 7})).is_none());
        for answer in [json!({}), json!([1]), json!({"data": {"id": "m"}}), json!({"data": [null, 3]})] {
            assert_eq!(read(&answer), []);
        }
    }

    #[test]
    fn the_usual_wire_is_kept_where_the_server_has_it() {
        let chat = Wire::ChatCompletions(Quirks { short_ids: true, ..Quirks::COMMON });
        let check = |paths: &[&str], usual: Option<Wire>, expected: Option<Wire>| {
            let model = served(json!({"supported_endpoints": paths})).unwrap();
            assert_eq!(model.wire(usual), expected, "{paths:?}");
        };
        check(&["/chat/completions", "/responses"], Some(chat), Some(chat));
        check(&["/chat/completions", "/responses"], None, Some(Wire::Responses));
        check(&["/chat/completions", "/v1/messages"], Some(Wire::Responses), Some(Wire::Messages));
        check(&["/chat/completions"], Some(Wire::Responses), Some(Wire::ChatCompletions(Quirks::COMMON)));
        check(&["ws:/responses"], Some(chat), None);
        check(&[], Some(chat), None);
    }

    #[test]
    fn abilities_come_from_the_server_and_else_from_the_table() {
        let of = |supports: Value, known: Option<Abilities>| {
            served(json!({"capabilities": {"supports": supports}})).unwrap().abilities(known)
        };
        let plain = of(json!({"vision": false}), None);
        assert_eq!((plain.images, plain.reasoning, plain.known), (false, false, true));
        let known = Abilities { fixed_sampling: true, images: false, ..Abilities::UNKNOWN };
        let told = of(json!({"vision": true, "reasoning_effort": ["none", "medium", "high"]}), Some(known));
        assert_eq!(told, Abilities { images: true, effort_none: true, no_low: true, known: true, ..known });
        assert!(of(json!({"max_thinking_budget": 32_000}), None).reasoning);
        let adaptive = of(json!({"adaptive_thinking": true}), None);
        assert!(adaptive.reasoning && adaptive.adaptive);
    }

    #[test]
    fn a_note_tells_how_use_counts_and_what_is_off() {
        let check = |more: Value, expected: Option<&str>| {
            assert_eq!(served(more).unwrap().note.as_deref(), expected);
        };
        check(json!({}), None);
        check(json!({"billing": {"multiplier": 0}}), Some("part of the plan"));
        check(json!({"billing": {"multiplier": 1}}), Some("a premium request"));
        check(json!({"billing": {"multiplier": 0.33}}), Some("0.33 premium requests"));
        let off = json!({"billing": {"multiplier": 1}, "policy": {"state": "unconfigured"}});
        check(off, Some("off until you turn it on in the Copilot settings of GitHub"));
        check(
            json!({"billing": {"multiplier": 1}, "policy": {"state": "enabled"}}),
            Some("a premium request"),
        );
    }

    #[test]
    fn an_answer_without_models_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/github-copilot.json");
        let served = Served::at(Some(file.clone()));
        assert!(!served.take(&json!({"data": []})).unwrap() && !file.exists() && !served.is_fresh());
        let answer = json!({"data": [{"id": "m"}, {"id": "hidden", "model_picker_enabled": false}]});
        assert!(served.take(&answer).unwrap() && served.is_fresh());
        let again = Served::at(Some(file.clone()));
        let offered: Vec<String> = again.offered().into_iter().map(|model| model.id).collect();
        assert_eq!(offered, ["m"]);
        assert!(again.find("hidden").is_some());
        again.forget();
        assert!(again.find("m").is_none() && !file.exists());
        std::fs::write(&file, "no JSON").unwrap();
        assert!(Served::at(Some(file)).offered().is_empty());
    }
}
