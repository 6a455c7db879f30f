//! Models, completions, subagents and skills.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

data! {
    /// Names a model.
    ModelParameters {
        /// `provider/name`.
        model: String,
    }

    /// Names a model, or the current one.
    OptionalModelParameters {
        /// `provider/name`; the current one where it is absent or empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    }

    /// Models in the order in which they are wanted.
    ModelChainParameters {
        /// `provider/name` each.
        models: Vec<String>,
    }

    /// A level of thinking.
    ThinkingLevelParameters {
        /// `off`, `none`, `minimal`, `low`, `medium` or `high`.
        level: String,
    }

    /// A model that can be used.
    Model {
        /// The provider.
        provider: String,
        /// The model's name.
        model_id: String,
        /// The name for people.
        name: String,
        /// Context window in tokens; 0 when unknown.
        context_limit: u64,
        /// Largest answer in tokens; 0 when unknown.
        output_limit: u64,
        /// Whether it can reason.
        reasoning: bool,
        /// What it costs.
        pricing: ModelPricing,
    }

    /// Prices in USD per million tokens.
    ModelPricing {
        /// Fresh input.
        input: f64,
        /// Output, reasoning included.
        output: f64,
        /// Input read from the cache.
        cache_read: f64,
        /// Input written to the cache.
        cache_write: f64,
        /// Whether `cacheRead` is published.
        has_cache_read: bool,
        /// Whether `cacheWrite` is published.
        has_cache_write: bool,
        /// Whether there are prices at all; unknown is not free.
        known: bool,
    }

    /// One call of a model, without tools.
    CompleteParameters {
        /// `provider/name`; the session's model otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// The prompt.
        #[serde(default)]
        prompt: String,
        /// Instructions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<String>,
        /// Messages before the prompt.
        #[serde(default)]
        messages: Vec<CompleteMessage>,
        /// The largest answer in tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_tokens: Option<u64>,
        /// The text comes in pieces as well, as events `stream.chunk` with this id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<String>,
    }

    /// A message before the prompt of a completion.
    CompleteMessage {
        /// `system`, `user` or `assistant`.
        role: String,
        /// Its text.
        content: String,
    }

    /// The answer of a model.
    CompleteResult {
        /// The text.
        text: String,
        /// Tokens of the input.
        input_tokens: u64,
        /// Tokens of the output.
        output_tokens: u64,
        /// The model that answered.
        model: String,
    }

    /// A subagent to spawn.
    SpawnSubagentParameters {
        /// Its task.
        prompt: String,
        /// The named agent that it runs as.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<String>,
        /// `provider/name`; the session's model otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// Its instructions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system_prompt: Option<String>,
        /// Its limit; 0 means five minutes, or what its named agent says.
        #[serde(default)]
        timeout_ms: u64,
        /// Whether the call returns at the subagent's end instead of at its start.
        #[serde(default)]
        blocking: bool,
        /// Whether nothing of it is stored.
        #[serde(default)]
        no_session: bool,
        /// An earlier subagent's session to go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
        /// The tools that it may use, by name; those of the session otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tools: Option<Vec<String>>,
        /// Whether what it does comes as events `subagent.event`.
        #[serde(default)]
        events: bool,
    }

    /// A subagent that was spawned.
    SpawnSubagentResult {
        /// Its id.
        id: String,
        /// How it ended, for a call that waited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<SubagentResult>,
    }

    /// Names a subagent.
    SubagentParameters {
        /// Its id.
        id: String,
    }

    /// A subagent of the session.
    SubagentInfo {
        /// Its id.
        id: String,
        /// The named agent that it runs as.
        agent: String,
        /// Whether it works or waits for its place.
        running: bool,
        /// How it ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<SubagentResult>,
    }

    /// How a subagent ended.
    SubagentResult {
        /// Its answer.
        response: String,
        /// What failed; empty where nothing did.
        #[serde(default)]
        error: String,
        /// 0, or 1 after a failure.
        exit_code: i32,
        /// How long it took.
        elapsed_ms: u64,
        /// What it used, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<SubagentUsage>,
        /// Its session, where it is stored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
    }

    /// What a subagent used.
    SubagentUsage {
        /// Tokens of the input.
        input_tokens: u64,
        /// Tokens of the output.
        output_tokens: u64,
    }

    /// A skill.
    Skill {
        /// Its name.
        name: String,
        /// What it is for.
        description: String,
        /// Its file.
        path: String,
        /// Its text; absent in lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    }

    /// Names a skill or anything else.
    NameParameters {
        /// The name.
        name: String,
    }

    /// Names a file or folder.
    PathParameters {
        /// The path, relative to the session's folder.
        path: String,
    }
}
