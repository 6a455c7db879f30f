//! A component that does wrong what a component can do wrong, when it is told to: each tool is one fault.
//!
//! The handler of `tool_call` does the same when the call's path names a fault, so that a turn can be hit in the middle.
//! In a file with the name `gate` it is a gate.

use std::hint::black_box;

use kit_extension_sdk::contract::{
    EnvironmentParameters, FetchParameters, PrintParameters, ReadFileParameters, RunParameters,
    StateKeyParameters, ToolCallAnswer, ToolCallEvent, ToolDefinition,
};
use kit_extension_sdk::{Context, Error, Extension, Kit, ToolContext, Value, event, export, json};

struct Faults;

const TOOLS: [&str; 12] = [
    "spin",
    "spin_calls",
    "bomb",
    "deep",
    "trap",
    "flood_calls",
    "flood_output",
    "say",
    "read_file",
    "send",
    "variable",
    "start",
];

impl Extension for Faults {
    fn init(kit: &mut Kit) -> Result<(), Error> {
        kit.describe("faults", env!("CARGO_PKG_VERSION"), "Does wrong what a component can do wrong");
        for name in TOOLS {
            let definition = ToolDefinition {
                name: name.into(),
                description: format!("Does {name}"),
                parameters: json!({ "type": "object" }),
                ..ToolDefinition::default()
            };
            kit.tool(definition, async move |_: Value, context: ToolContext| {
                act(name, &context.context).await
            });
        }
        if kit.configuration.name == "gate" {
            kit.gate::<event::ToolCall, _>(look);
        } else {
            kit.on::<event::ToolCall, _>(look);
        }
        Ok(())
    }
}

async fn look(call: ToolCallEvent, context: Context) -> Result<Option<ToolCallAnswer>, Error> {
    let path = call.parsed_args.as_ref().and_then(|arguments| arguments.get("path")?.as_str());
    if let Some(fault) = path.and_then(|path| path.strip_suffix(".fault")) {
        act(fault, &context).await?;
    }
    Ok(None)
}

async fn act(name: &str, context: &Context) -> Result<String, Error> {
    match name {
        "spin" => loop {
            black_box(());
        },
        "spin_calls" => loop {
            let _refused = context.get_state(StateKeyParameters { key: "x".into() });
        },
        "bomb" => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(black_box(vec![1; 1 << 20]));
            }
        }
        "deep" => Ok(deep(0).to_string()),
        "trap" => panic!("on purpose"),
        "flood_calls" => {
            for _ in 0..100_000 {
                context.get_state(StateKeyParameters { key: "x".into() })?;
            }
            Ok("all".into())
        }
        "flood_output" => {
            for line in 0..5000 {
                context.print(PrintParameters { text: format!("line {line}") })?;
            }
            Ok("all".into())
        }
        "read_file" => {
            let read = context
                .fs_read(ReadFileParameters { path: "secret.txt".into(), ..Default::default() })
                .await?;
            Ok(read.text)
        }
        "send" => {
            let url = "http://127.0.0.1:9/".into();
            Ok(context.http_fetch(FetchParameters { url, ..Default::default() }).await?.status.to_string())
        }
        "variable" => {
            let value = context.env_get(EnvironmentParameters { name: "HOME".into() })?;
            Ok(value.unwrap_or_default())
        }
        "start" => {
            let command = "touch made".into();
            Ok(context.exec_run(RunParameters { command, ..Default::default() }).await?.stdout)
        }
        _ => Ok("still here".into()),
    }
}

#[allow(unconditional_recursion)]
fn deep(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    1 + black_box(deep(depth + 1)) + frame[0]
}

export!(Faults);
