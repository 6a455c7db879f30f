//! Protected paths: files that the agent may not change, whatever it was told.
//!
//! Set your own with the option `protected-paths`, a list of globs separated by commas.

use globset::{Glob, GlobSet, GlobSetBuilder};
use kit_extension_sdk::contract::{CommandDefinition, OptionParameters, ToolCallAnswer, ToolCallEvent};
use kit_extension_sdk::{Context, Error, Extension, Kit, event, export};

const OPTION: &str = "protected-paths";
const DEFAULTS: &str = ".env,.env.*,.git/**,node_modules/**,*.pem,*.key,Cargo.lock,package-lock.json";

/// The extension.
pub struct ProtectedPaths;

impl Extension for ProtectedPaths {
    fn init(kit: &mut Kit) -> Result<(), Error> {
        kit.describe(
            "protected-paths",
            env!("CARGO_PKG_VERSION"),
            "Keeps the agent from changing files that must not change",
        );
        kit.option(OPTION, "Globs of files that may not change", DEFAULTS);
        kit.gate::<event::ToolCall, _>(async |call, context| decide(&call, &context));
        let definition = CommandDefinition {
            name: "protected".into(),
            description: "Lists the protected paths".into(),
            ..CommandDefinition::default()
        };
        kit.command(definition, async |_args, context| Ok(Some(globs(&context)?.join("\n"))));
        Ok(())
    }
}

fn decide(call: &ToolCallEvent, context: &Context) -> Result<Option<ToolCallAnswer>, Error> {
    if call.tool_kind != "edit" {
        return Ok(None);
    }
    let arguments = call.parsed_args.as_ref();
    let Some(path) = arguments.and_then(|arguments| arguments.get("path")).and_then(|path| path.as_str())
    else {
        return Ok(None);
    };
    let path = below(path, &context.at.cwd);
    let globs = globs(context)?;
    let Some(glob) = set(&globs)?.matches(&path).first().and_then(|at| globs.get(*at).cloned()) else {
        return Ok(None);
    };
    let reason = format!("{path} is protected by {glob}. Leave it as it is and say what you would change.");
    Ok(Some(ToolCallAnswer { block: true, reason: Some(reason) }))
}

fn globs(context: &Context) -> Result<Vec<String>, Error> {
    let text = context.get_option(OptionParameters { name: OPTION.into() })?;
    let text = if text.trim().is_empty() { DEFAULTS.to_owned() } else { text };
    Ok(text.split(',').map(|glob| glob.trim().to_owned()).filter(|glob| !glob.is_empty()).collect())
}

fn set(globs: &[String]) -> Result<GlobSet, Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        // Without a slash it is the name of a file, wherever that is.
        let anywhere = if glob.contains('/') { glob.clone() } else { format!("**/{glob}") };
        set.add(Glob::new(&anywhere).map_err(|error| format!("the option {OPTION}: {error}"))?);
    }
    set.build().map_err(|error| format!("the option {OPTION}: {error}").into())
}

/// The path below the folder, without `.` and `..`.
fn below(path: &str, folder: &str) -> String {
    let full = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in full.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let clean = format!("/{}", parts.join("/"));
    clean.strip_prefix(&format!("{folder}/")).map_or(clean.clone(), str::to_owned)
}

export!(ProtectedPaths);

#[cfg(test)]
mod tests {
    use kit_extension_sdk::json;
    use kit_extension_sdk::test::Harness;

    use super::*;

    fn write(path: &str) -> ToolCallEvent {
        ToolCallEvent {
            tool_name: "write".into(),
            tool_kind: "edit".into(),
            parsed_args: Some(json!({ "path": path })),
            ..ToolCallEvent::default()
        }
    }

    fn reason(harness: &Harness, path: &str) -> Option<String> {
        harness.emit::<event::ToolCall>(write(path)).unwrap().and_then(|answer| answer.reason)
    }

    #[test]
    fn protected_files_are_blocked_and_others_are_not() {
        let harness = Harness::load::<ProtectedPaths>();
        assert!(reason(&harness, "config/../.env").unwrap().starts_with(".env is protected by .env."));
        assert!(reason(&harness, "/workspace/certificates/a.pem").unwrap().contains("*.pem"));
        assert_eq!(reason(&harness, "src/main.rs"), None);
    }

    #[test]
    fn the_users_own_list_replaces_the_built_in_one() {
        let harness = Harness::load::<ProtectedPaths>();
        harness.option(OPTION, "docs/**");
        assert!(reason(&harness, "docs/a/b.md").is_some());
        assert_eq!(reason(&harness, ".env"), None);
        assert_eq!(harness.command("/protected", "").unwrap(), Some("docs/**".into()));
    }

    #[test]
    fn a_list_that_is_no_list_of_globs_is_an_error_and_so_blocks() {
        let harness = Harness::load::<ProtectedPaths>();
        harness.option(OPTION, "a[");
        assert!(harness.emit::<event::ToolCall>(write("x")).unwrap_err().message.contains("protected-paths"));
    }
}
