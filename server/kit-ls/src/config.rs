//! `kit-ls config`: which settings hold here and where each is from, and what was left out.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use kit_workspace::Paths;
use serde_json::{Value, json};

use crate::application::Kit;
use crate::arguments::Options;
use crate::configuration::setting_path;
use crate::{complain, say};

/// Show which settings hold here, where each is from, and what was left out
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Option<Action>,
    /// As JSON
    #[arg(long, global = true)]
    json: bool,
}

/// What to show.
#[derive(Clone, Debug, PartialEq, Subcommand)]
enum Action {
    /// Show one setting with all that is under it, or every setting
    Explain { name: Option<String> },
}

/// Tells it and returns the exit code: 1 when something was left out.
pub(crate) fn run(config: &Config, options: Options, paths: Paths) -> anyhow::Result<i32> {
    let name = match &config.action {
        Some(Action::Explain { name: Some(name) }) => match setting_path(name) {
            Ok(path) => Some(path),
            Err(why) => {
                complain(&why);
                return Ok(crate::MISUSED);
            }
        },
        Some(Action::Explain { name: None }) | None => None,
    };
    let name = name.as_deref();
    let folder = std::env::current_dir().context("the current folder is gone")?;
    let kit = Kit::new(paths, options);
    let configuration = kit.configuration(&folder);
    let explained = configuration.explain(name);
    if config.json {
        let values: Vec<Value> = explained
            .iter()
            .map(|value| json!({"name": value.name, "value": value.value, "origin": value.place}))
            .collect();
        let problems: Vec<String> = configuration.problems.iter().map(ToString::to_string).collect();
        let object = json!({"settings": values, "problems": problems, "layers": configuration.origins});
        say(&serde_json::to_string_pretty(&object)?)?;
        return Ok(i32::from(!configuration.problems.is_empty()));
    }
    if explained.is_empty() {
        say(&match name {
            Some(name) => format!("{name} is not set; its default holds."),
            None => "Nothing is set; the defaults hold.".to_owned(),
        })?;
    }
    for value in explained {
        say(&format!("{} = {}", value.name, value.value))?;
        say(&format!("    from {}", value.place))?;
    }
    if let Some(untrusted) = kit.unread(&folder) {
        complain(&format!("{} is not read, because the folder is not trusted", untrusted.display()));
    }
    for problem in &configuration.problems {
        complain(&problem.to_string());
    }
    Ok(i32::from(!configuration.problems.is_empty()))
}
