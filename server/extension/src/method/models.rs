//! Models and the thinking level.

use kit_contract::{
    Model, ModelChainParameters, ModelParameters, ModelPricing, OptionalModelParameters,
    ThinkingLevelParameters,
};
use kit_protocol::{ModelId, ModelInfo, ModelListArguments, ModelSetArguments, ThinkingSetArguments};
use kit_session::ChangedBy;

use super::sessions::refused;
use crate::caller::{Caller, parse};
use crate::convert::dollars;
use crate::extensions::Extensions;
use crate::sandbox::{Failure, FailureCode};

/// The session's model, `provider/name`; empty while none is known.
pub(super) fn current_id(hub: &Extensions, caller: &Caller, parameters: &str) -> String {
    hub.context(caller.session(hub, parameters).as_ref()).model
}

/// Provider and name of the session's model.
pub(super) fn current(hub: &Extensions, caller: &Caller, parameters: &str) -> (String, String) {
    let id = current_id(hub, caller, parameters);
    id.split_once('/').map(|(provider, name)| (provider.to_owned(), name.to_owned())).unwrap_or_default()
}

/// The session's thinking level; empty while it is not known.
pub(super) fn thinking_level(hub: &Extensions, caller: &Caller, parameters: &str) -> String {
    let session = caller.session(hub, parameters);
    hub.known(session.as_ref()).map(|facts| facts.thinking).unwrap_or_default()
}

pub(super) fn model_id(text: &str) -> Result<ModelId, Failure> {
    text.parse()
        .map_err(|error| Failure::new(FailureCode::Invalid, format!("`{text}` names no model: {error}")))
}

pub(super) async fn set(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let ModelParameters { model } = parse("setModel", parameters)?;
    let arguments = ModelSetArguments { model: model_id(&model)?, session: caller.session(hub, parameters) };
    hub.sessions()?.model_set(arguments, ChangedBy::Extension).await.map_err(refused)?;
    Ok(())
}

pub(super) async fn set_thinking(hub: &Extensions, caller: &Caller, parameters: &str) -> Result<(), Failure> {
    let ThinkingLevelParameters { level } = parse("setThinkingLevel", parameters)?;
    let level = serde_json::from_value(level.clone().into())
        .map_err(|_| Failure::new(FailureCode::Invalid, format!("`{level}` is no thinking level")))?;
    let arguments = ThinkingSetArguments { level, session: caller.session(hub, parameters) };
    hub.sessions()?.thinking_set(arguments, ChangedBy::Extension).await.map_err(refused)?;
    Ok(())
}

async fn list(hub: &Extensions) -> Result<Vec<ModelInfo>, Failure> {
    Ok(hub.sessions()?.model_list(ModelListArguments::default()).await.map_err(refused)?.models)
}

pub(super) async fn available(hub: &Extensions) -> Result<Vec<Model>, Failure> {
    Ok(list(hub).await?.into_iter().map(described).collect())
}

pub(super) async fn capabilities(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Option<Model>, Failure> {
    let OptionalModelParameters { model } = parse("getModelCapabilities", parameters)?;
    let wanted =
        model.filter(|model| !model.is_empty()).unwrap_or_else(|| current_id(hub, caller, parameters));
    Ok(list(hub).await?.into_iter().find(|info| info.id.to_string() == wanted).map(described))
}

pub(super) async fn is_available(hub: &Extensions, parameters: &str) -> Result<bool, Failure> {
    let ModelParameters { model } = parse("checkModelAvailable", parameters)?;
    Ok(list(hub).await?.iter().any(|info| info.id.to_string() == model))
}

pub(super) async fn resolve_chain(hub: &Extensions, parameters: &str) -> Result<String, Failure> {
    let ModelChainParameters { models } = parse("resolveModelChain", parameters)?;
    let known = list(hub).await?;
    let is_known = |model: &String| known.iter().any(|info| info.id.to_string() == *model);
    Ok(models.into_iter().find(is_known).unwrap_or_default())
}

fn described(info: ModelInfo) -> Model {
    let pricing = info.price.map_or_else(ModelPricing::default, |price| ModelPricing {
        input: dollars(Some(price.input)),
        output: dollars(Some(price.output)),
        cache_read: dollars(price.cache_read),
        cache_write: dollars(price.cache_write),
        has_cache_read: price.cache_read.is_some(),
        has_cache_write: price.cache_write.is_some(),
        known: true,
    });
    let id = info.id.to_string();
    Model {
        model_id: id.split_once('/').map_or(id.clone(), |(_, name)| name.to_owned()),
        provider: info.provider,
        name: info.name,
        context_limit: info.context_window,
        output_limit: info.max_output,
        reasoning: info.reasoning,
        pricing,
    }
}
