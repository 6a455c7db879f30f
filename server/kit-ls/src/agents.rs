//! `kit-ls agents`: the agents that subagents can run as in this folder, and the files that were left out.

use anyhow::Context as _;
use clap::Args;
use kit_protocol::AgentInfo;
use kit_session::Projects;
use kit_workspace::Paths;

use crate::application::Kit;
use crate::arguments::Options;
use crate::{complain, say};

/// List the agents that subagents can run as here, where each is from, and what is wrong with their files
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub(crate) struct Agents {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Tells it and returns the exit code: 1 when a file was left out.
pub(crate) fn run(agents: &Agents, options: Options, paths: Paths) -> anyhow::Result<i32> {
    let folder = std::env::current_dir().context("the current folder is gone")?;
    let kit = Kit::new(paths, options);
    let settings = kit.configuration(&folder).settings;
    let projects = Projects::new(kit.paths(), &settings);
    let answer = projects.agent_list(&folder);
    let code = i32::from(!answer.problems.is_empty());
    if agents.json {
        say(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(code);
    }
    for agent in &answer.agents {
        say(&described(agent))?;
    }
    let withheld: Vec<String> =
        projects.withheld(&folder).into_iter().filter(|name| name.ends_with("/agents")).collect();
    if !withheld.is_empty() {
        complain(&format!("{} is not read, because the folder is not trusted", withheld.join(", ")));
    }
    for problem in &answer.problems {
        complain(&format!("{}:{}: {}", problem.path, problem.line + 1, problem.message));
    }
    Ok(code)
}

fn described(agent: &AgentInfo) -> String {
    let AgentInfo { name, description, source, model, tools, timeout_seconds, hidden } = agent;
    let hidden = if *hidden { " (hidden)" } else { "" };
    let mut lines = vec![
        format!("{name}{hidden}"),
        format!("    {}", description.lines().next().unwrap_or_default()),
        format!("    from   {source}"),
        format!(
            "    tools  {}",
            tools.as_ref().map_or("those of its parent".to_owned(), |tools| tools.join(", "))
        ),
        format!("    model  {}", model.as_deref().unwrap_or("that of its parent")),
    ];
    lines.extend(timeout_seconds.map(|seconds| format!("    stops  after {seconds} s")));
    lines.join("\n")
}
