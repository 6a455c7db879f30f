//! A component by which components are measured: it does what the JavaScript of the same bench does.

use kit_extension_sdk::contract::{ToolCallAnswer, ToolDefinition};
use kit_extension_sdk::{Error, Extension, Kit, ToolContext, event, export, json};
use serde::Deserialize;

struct Quick;

#[derive(Deserialize)]
struct Input {
    n: u64,
}

impl Extension for Quick {
    fn init(kit: &mut Kit) -> Result<(), Error> {
        kit.describe("quick", env!("CARGO_PKG_VERSION"), "Is measured");
        kit.on::<event::MessageStart, _>(async |_, _| Ok(None));
        kit.on::<event::ToolCall, _>(async |call, _| {
            let is_forced = call.input.contains("rm -rf");
            Ok(is_forced.then(|| ToolCallAnswer { block: true, reason: Some("no".into()) }))
        });
        let definition = ToolDefinition {
            name: "fib".into(),
            description: "fib".into(),
            parameters: json!({ "type": "object" }),
            ..ToolDefinition::default()
        };
        kit.tool(definition, async |input: Input, _: ToolContext| Ok(fib(input.n).to_string()));
        Ok(())
    }
}

fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

export!(Quick);
