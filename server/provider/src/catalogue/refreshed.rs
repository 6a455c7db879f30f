//! The user's file in the format of models.dev, brought into the format of the table.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::usage::micros;

/// The file as a table; empty when there is none or when it cannot be read.
pub(super) fn read(file: &Path) -> String {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return String::new(),
        Err(error) => {
            tracing::warn!(%error, "the model catalogue of the user cannot be read");
            return String::new();
        }
    };
    match check(&text) {
        Ok((table, _)) => table,
        Err(error) => {
            tracing::warn!(error, "the model catalogue of the user cannot be used");
            String::new()
        }
    }
}

/// The table of a text in the format of models.dev and the number of its models, or what is wrong with it.
pub(crate) fn check(text: &str) -> Result<(String, usize), String> {
    let source: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let mut table = "\n".to_owned();
    let mut count = 0;
    for (id, provider) in source.as_object().into_iter().flatten() {
        let Some(models) = provider.get("models").and_then(Value::as_object) else { continue };
        let _never = writeln!(table, ">{id}\t");
        for (name, model) in models.iter().filter(|(name, model)| has_tools(model) && is_plain(name)) {
            count += 1;
            table.push_str(&line(name, model));
            table.push('\n');
        }
    }
    if count == 0 { Err("it holds no model that calls tools".to_owned()) } else { Ok((table, count)) }
}

fn has_tools(model: &Value) -> bool {
    model.get("tool_call") == Some(&Value::Bool(true))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('>') && !name.contains(['\t', '\n', '\r'])
}

fn line(id: &str, model: &Value) -> String {
    let name = model.get("name").and_then(Value::as_str).filter(|name| is_plain(name)).unwrap_or(id);
    let limit = |field: &str| model.pointer(field).and_then(Value::as_u64).unwrap_or_default();
    let images = model.pointer("/modalities/input").and_then(Value::as_array);
    let flags = [
        (images.is_some_and(|kinds| kinds.iter().any(|kind| kind == "image")), 'i'),
        (model.get("reasoning") == Some(&Value::Bool(true)), 'r'),
        (model.get("temperature") == Some(&Value::Bool(false)), 'f'),
    ];
    let flags: String = flags.iter().filter(|(has, _)| *has).map(|(_, flag)| *flag).collect();
    let (context, output) = (limit("/limit/context"), limit("/limit/output"));
    let mut line = format!("{id}\t{name}\t{context}\t{output}\t-{flags}");
    if let Some(base) = model.get("cost").and_then(prices) {
        let tiers = model.pointer("/cost/tiers").and_then(Value::as_array).into_iter().flatten();
        let tiers = tiers.filter_map(|tier| {
            Some(format!("{}:{}", tier.pointer("/tier/size")?.as_u64()?, prices(tier)?.join(":")))
        });
        let tiers: Vec<String> = tiers.collect();
        let _never = write!(line, "\t{}\t{}", base.join("\t"), tiers.join(";"));
    }
    line
}

/// Input, output, cache read and cache write in micro-USD per million tokens; `None` without the first two.
fn prices(cost: &Value) -> Option<[String; 4]> {
    let price = |field: &str| cost.get(field).and_then(Value::as_f64).and_then(micros);
    let text = |price: Option<u64>| price.map(|price| price.to_string()).unwrap_or_default();
    let (input, output) = (price("input")?, price("output")?);
    Some([input.to_string(), output.to_string(), text(price("cache_read")), text(price("cache_write"))])
}
