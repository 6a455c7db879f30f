//! Named agents: what a subagent can run as.
//!
//! An agent is a Markdown file whose front matter says what it is good for, which model and tools it has and how long it
//! may work, and whose text is its instructions. `general` and `explore` are built in; a file of the same name stands in
//! for them. The first file of a name wins, in the order of [`Agents::read`]; one that is `disabled` takes the name away,
//! and one that is `hidden` works without being offered. A file that cannot be understood is left out and told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kit_protocol::{AgentInfo, AgentListAnswer, ErrorKind, FileProblem, KitError};
use kit_workspace::Paths;

use super::folders::{self, Fence};
use super::front_matter::{self, FrontMatterError};
use crate::near;

/// The agent of a subagent that names none.
pub(crate) const GENERAL: &str = "general";
/// The agent that only looks.
const EXPLORE: &str = "explore";
/// The tools of the agent that only looks.
const LOOKING: [&str; 4] = ["read", "grep", "find", "ls"];
/// Where agents come from that no file describes.
const BUILT_IN: &str = "built-in";
/// How much of a description a model reads.
const LONGEST_DESCRIPTION: usize = 300;

const GENERAL_DESCRIPTION: &str = "Works on any task with all tools that you have, in a context of its own";
const EXPLORE_DESCRIPTION: &str =
    "Looks around in files without changing anything, and reports what it found";

/// Every subagent reads this.
const SUBAGENT: &str = "\n# Subagent\n\n\
You are a subagent: another agent gave you one task and waits for its result. You see nothing of its conversation, and \
it sees nothing of your work but your last message. Do the task on your own, ask nobody what to do, and end with a \
message that stands on its own: what you did or found, with paths and line numbers, what is left, and what you are not \
sure of.\n";

const EXPLORE_INSTRUCTIONS: &str = "You look and do not change anything. Search broadly first, then read the places \
that matter. Report facts with `path:line`, the shortest way to understand them, and where you did not look.";

/// An agent that a subagent can run as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedAgent {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Its own instructions.
    pub(crate) prompt: String,
    /// `provider/name`, or a name of the parent's provider.
    pub(crate) model: Option<String>,
    /// Only these of the parent's tools.
    pub(crate) tools: Option<Vec<String>>,
    pub(crate) temperature: Option<f64>,
    pub(crate) timeout: Option<Duration>,
    /// Whether it works without being offered.
    pub(crate) hidden: bool,
    /// Its file, or that it is built in.
    pub(crate) source: String,
}

impl NamedAgent {
    fn built_in(name: &str, description: &str, prompt: &str, tools: Option<&[&str]>) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            prompt: prompt.to_owned(),
            model: None,
            tools: tools.map(|tools| tools.iter().map(|tool| (*tool).to_owned()).collect()),
            temperature: None,
            timeout: None,
            hidden: false,
            source: BUILT_IN.to_owned(),
        }
    }

    /// What is added to the system prompt; `own` stands in for the agent's own instructions.
    pub(crate) fn instructions(&self, own: Option<&str>) -> String {
        let own = own.map(str::trim).filter(|own| !own.is_empty()).unwrap_or(self.prompt.trim());
        if own.is_empty() { SUBAGENT.to_owned() } else { format!("{SUBAGENT}\n{own}\n") }
    }
}

/// What a file says.
enum Entry {
    Agent(NamedAgent),
    /// Nobody has this name, whatever weaker files say.
    Disabled(String),
}

/// The agents of a folder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Agents {
    agents: BTreeMap<String, NamedAgent>,
    problems: Vec<FileProblem>,
}

impl Default for Agents {
    /// The agents that no file describes.
    fn default() -> Self {
        let agents = [
            NamedAgent::built_in(GENERAL, GENERAL_DESCRIPTION, "", None),
            NamedAgent::built_in(EXPLORE, EXPLORE_DESCRIPTION, EXPLORE_INSTRUCTIONS, Some(&LOOKING)),
        ];
        Self {
            agents: agents.into_iter().map(|agent| (agent.name.clone(), agent)).collect(),
            problems: Vec::new(),
        }
    }
}

/// Where the user's agents lie, the stronger ones first.
pub(crate) fn user_folders(paths: &Paths) -> [PathBuf; 2] {
    [paths.config.join("agents"), paths.home.join(".agents/agents")]
}

/// Where a project's agents lie, the stronger ones first.
pub(crate) fn project_folders(folder: &Path) -> [PathBuf; 2] {
    [".agents/agents", ".kit/agents"].map(|name| folder.join(name))
}

impl Agents {
    /// The agents that count in a folder: those of the project where it is trusted, of the user, and built-in ones.
    pub(crate) fn read(paths: &Paths, folder: &Path, trusted: bool) -> Self {
        let fence = Fence::around(folder);
        let project = project_folders(folder).map(|folder| (folder, fence.clone()));
        let user = user_folders(paths).map(|folder| (folder, Fence::Open));
        let places = project.into_iter().filter(|_| trusted).chain(user);

        let mut found = Self { agents: BTreeMap::new(), problems: Vec::new() };
        let mut disabled = BTreeSet::new();
        for (place, fence) in places {
            for path in folders::files(&place, &["md"], None) {
                match folders::read(&path, &fence).map(|text| text.map(|text| parse(&path, &text))) {
                    None => {}
                    Some(Err(why)) => found.problem(&path, 0, why),
                    Some(Ok(Err(error))) => found.problem(&path, error.line, error.why),
                    Some(Ok(Ok(Entry::Disabled(name)))) if found.agents.contains_key(&name) => {}
                    Some(Ok(Ok(Entry::Disabled(name)))) => {
                        disabled.insert(name);
                    }
                    Some(Ok(Ok(Entry::Agent(agent)))) if disabled.contains(&agent.name) => {}
                    Some(Ok(Ok(Entry::Agent(agent)))) => {
                        found.agents.entry(agent.name.clone()).or_insert(agent);
                    }
                }
            }
        }
        for (name, agent) in Self::default().agents {
            if !disabled.contains(&name) {
                found.agents.entry(name).or_insert(agent);
            }
        }
        found
    }

    fn problem(&mut self, path: &Path, line: u32, message: String) {
        self.problems.push(FileProblem { path: path.to_string_lossy().into_owned(), line, message });
    }

    /// Files that were left out, and why.
    pub(crate) fn problems(&self) -> &[FileProblem] {
        &self.problems
    }

    /// The agent of a name, or the general one.
    pub(crate) fn find(&self, name: Option<&str>) -> Result<&NamedAgent, KitError> {
        let name = name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(GENERAL);
        self.agents.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.offered().map(|agent| agent.name.as_str()).collect();
            let hint = near::hint(name, names.iter().copied());
            let text = format!("there is no agent `{name}`{hint}. The agents are: {}", names.join(", "));
            KitError::new(ErrorKind::NotFound, text)
        })
    }

    /// The agents that models and people are told of, by name.
    fn offered(&self) -> impl Iterator<Item = &NamedAgent> {
        self.agents.values().filter(|agent| !agent.hidden)
    }

    /// What the model reads about them.
    pub(crate) fn description(&self) -> String {
        let lines = self.offered().map(|agent| {
            let words: Vec<&str> = agent.description.split_whitespace().collect();
            let line = words.join(" ");
            let keep = line.floor_char_boundary(LONGEST_DESCRIPTION);
            let cut = if keep < line.len() { "…" } else { "" };
            format!("\n- {}: {}{cut}", agent.name, line.get(..keep).unwrap_or_default())
        });
        format!("\n\nAgents:{}", lines.collect::<String>())
    }

    /// The answer of `kit.agent.list`.
    pub(crate) fn answer(&self) -> AgentListAnswer {
        let info = |agent: &NamedAgent| AgentInfo {
            name: agent.name.clone(),
            description: agent.description.clone(),
            source: agent.source.clone(),
            model: agent.model.clone(),
            tools: agent.tools.clone(),
            timeout_seconds: agent.timeout.map(|timeout| timeout.as_secs()),
            hidden: agent.hidden,
        };
        AgentListAnswer { agents: self.agents.values().map(info).collect(), problems: self.problems.clone() }
    }
}

/// Reads an agent's file. Its name is that of the file.
fn parse(path: &Path, text: &str) -> Result<Entry, FrontMatterError> {
    let fields = front_matter::parse(text)?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().trim().to_owned()).unwrap_or_default();
    if fields.flag("disabled")? {
        return Ok(Entry::Disabled(name));
    }
    let Some(description) = fields.text("description")? else {
        let why = "`description` is missing: say in the front matter what the agent is good for".to_owned();
        return Err(FrontMatterError { line: 0, why });
    };
    let timeout = match fields.number("timeout")? {
        None => None,
        Some(seconds) if seconds > 0.0 => Duration::try_from_secs_f64(seconds).ok(),
        Some(_) => return Err(fields.wrong("timeout", "a number of seconds greater than 0")),
    };
    Ok(Entry::Agent(NamedAgent {
        description,
        model: fields.text("model")?,
        tools: fields.list("tools")?,
        temperature: fields.number("temperature")?,
        timeout,
        hidden: fields.flag("hidden")?,
        source: path.to_string_lossy().into_owned(),
        name,
        prompt: fields.body,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        directory: tempfile::TempDir,
    }

    impl Fixture {
        fn new(files: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = directory.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self { directory }
        }

        fn read(&self, trusted: bool) -> Agents {
            let paths = Paths::below(&self.directory.path().join("home"));
            Agents::read(&paths, &self.directory.path().join("project"), trusted)
        }
    }

    fn described(description: &str) -> String {
        format!("---\ndescription: {description}\n---\nDo it.\n")
    }

    /// `name: description` of all agents.
    fn names(agents: &Agents) -> Vec<String> {
        agents.agents.values().map(|agent| format!("{}: {}", agent.name, agent.description)).collect()
    }

    #[test]
    fn nearer_files_win_and_those_of_an_untrusted_project_do_not_count() {
        let fixture = Fixture::new(&[
            ("project/.agents/agents/review.md", &described("first")),
            ("project/.kit/agents/review.md", &described("second")),
            ("project/.kit/agents/test.md", &described("of the project")),
            ("home/config/agents/test.md", &described("of the user")),
            ("home/config/agents/notes.txt", "no agent"),
        ]);
        let general = format!("general: {GENERAL_DESCRIPTION}");
        let explore = format!("explore: {EXPLORE_DESCRIPTION}");
        let trusted =
            [explore.clone(), general.clone(), "review: first".into(), "test: of the project".into()];
        assert_eq!(names(&fixture.read(true)), trusted);
        assert_eq!(names(&fixture.read(false)), [explore, general, "test: of the user".into()]);
    }

    #[test]
    fn a_disabled_agent_takes_its_name_away_and_a_hidden_one_is_not_offered() {
        let fixture = Fixture::new(&[
            ("project/.kit/agents/explore.md", "---\ndisabled: true\n---\n"),
            ("home/config/agents/explore.md", &described("of the user")),
            ("home/config/agents/secret.md", "---\ndescription: x\nhidden: true\n---\n"),
        ]);
        let agents = fixture.read(true);
        assert_eq!(names(&agents), [format!("general: {GENERAL_DESCRIPTION}"), "secret: x".to_owned()]);
        assert_eq!(agents.description(), format!("\n\nAgents:\n- general: {GENERAL_DESCRIPTION}"));
        assert_eq!(agents.find(Some("secret")).unwrap().name, "secret");
        let unknown = agents.find(Some("generel")).unwrap_err();
        assert_eq!(
            unknown.message,
            "there is no agent `generel`; you may mean `general`. The agents are: general"
        );
    }

    #[test]
    fn all_fields_are_read() {
        let text = "---\ndescription: Reviews: all of it\nmodel: anthropic/x\ntools: [read, grep]\ntemperature: 0.2\ntimeout: 90\ncolor: red\n---\n\nBe strict.\n";
        let fixture = Fixture::new(&[("project/.agents/agents/review.md", text)]);
        let path = fixture.directory.path().join("project/.agents/agents/review.md");
        let agents = fixture.read(true);
        let expected = NamedAgent {
            name: "review".into(),
            description: "Reviews: all of it".into(),
            prompt: "Be strict.".into(),
            model: Some("anthropic/x".into()),
            tools: Some(vec!["read".into(), "grep".into()]),
            temperature: Some(0.2),
            timeout: Some(Duration::from_secs(90)),
            hidden: false,
            source: path.to_string_lossy().into_owned(),
        };
        let found = agents.find(Some("review")).unwrap();
        assert_eq!(found, &expected);
        assert!(found.instructions(None).ends_with("\nBe strict.\n"));
        assert!(found.instructions(Some("Be kind.")).ends_with("\nBe kind.\n"));
    }

    #[test]
    fn a_malformed_file_is_left_out_alone_with_its_line() {
        let fixture = Fixture::new(&[
            ("project/.kit/agents/a.md", "No front matter."),
            ("project/.kit/agents/b.md", "---\ndescription: x\ntimeout: soon\n---\n"),
            ("project/.kit/agents/c.md", "---\ndescription: x\ntimeout: -1\n---\n"),
            ("project/.kit/agents/d.md", &described("fine")),
        ]);
        let agents = fixture.read(true);
        assert!(names(&agents).contains(&"d: fine".to_owned()), "{agents:?}");
        let found: Vec<(String, u32, String)> = agents
            .problems
            .into_iter()
            .map(|problem| {
                let name = Path::new(&problem.path).file_name().unwrap().to_str().unwrap().to_owned();
                (name, problem.line, problem.message)
            })
            .collect();
        let missing = "`description` is missing: say in the front matter what the agent is good for";
        let expected = [
            ("a.md", 0, missing),
            ("b.md", 2, "`timeout` must be a number"),
            ("c.md", 2, "`timeout` must be a number of seconds greater than 0"),
        ];
        assert_eq!(found, expected.map(|(name, line, message)| (name.into(), line, message.into())));
    }
}
