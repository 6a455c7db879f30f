//! Templates and arguments: pure helpers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

data! {
    /// A template with `{{name}}` in it.
    TemplateParameters {
        /// The text.
        template: String,
    }

    /// What a template needs.
    ParsedTemplate {
        /// The names in the order of their first use.
        variables: Vec<String>,
    }

    /// A template and its values.
    RenderTemplateParameters {
        /// The text.
        template: String,
        /// Values by name; a name without one stays as it is.
        #[serde(default)]
        variables: BTreeMap<String, String>,
    }

    /// A line of arguments and what is expected.
    ParseArgumentsParameters {
        /// The line.
        input: String,
        /// What is expected.
        pattern: ArgumentPattern,
    }

    /// What arguments are expected.
    ArgumentPattern {
        /// Names of the words, in order.
        #[serde(default)]
        positional: Vec<String>,
        /// Name of what is left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rest: Option<String>,
        /// Flags: `--name value` by name, those of kind `bool` without a value.
        #[serde(default)]
        flags: BTreeMap<String, String>,
    }

    /// Arguments by name.
    ParsedArguments {
        /// The values.
        values: BTreeMap<String, String>,
        /// The flags that were there.
        flags: BTreeMap<String, String>,
        /// What is missing or was not expected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    }

    /// A line of arguments and how many words of it are wanted.
    SimpleParseArgumentsParameters {
        /// The line.
        input: String,
        /// How many words.
        count: u32,
    }

    /// Patterns of models, `claude-*`, separated by commas.
    ModelConditionParameters {
        /// The patterns; one of them must match the current model.
        condition: String,
    }

    /// A text with `<if-model is="…">…<else>…</if-model>` in it.
    TextParameters {
        /// The text.
        text: String,
    }
}
