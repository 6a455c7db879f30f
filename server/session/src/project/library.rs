//! All that holds for one folder: instructions, skills, templates and agents, read from disk at one moment.
//!
//! Of two skills or templates with one name the one that a setting names wins over the project's, and that over the
//! user's; among folders of one kind the later in the lists below. A file that is wrong is left out alone, with its
//! line. For an untrusted folder nothing of the project is read; what there is of it is named by looking at names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kit_protocol::{FileProblem, Settings};
use kit_workspace::{Paths, Watched};

use super::agents::{self, Agents};
use super::folders::{self, Fence};
use super::front_matter::FrontMatterError;
use super::instructions::{self, Instructions};
use super::origin::Origin;
use super::skill::{self, Skill};
use super::template::{self, Template};

/// What a project can bring that takes effect, as paths in its root.
const PROJECT_THINGS: [&str; 12] = [
    instructions::FILE,
    ".kit.yml",
    ".kit.yaml",
    ".kit.json",
    ".mcp.json",
    ".agents/skills",
    ".kit/skills",
    ".kit/prompts",
    ".agents/agents",
    ".kit/agents",
    ".kit/extensions",
    ".kit/packages.json",
];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Library {
    /// Outermost first.
    pub(crate) instructions: Vec<Instructions>,
    /// By name.
    pub(crate) skills: BTreeMap<String, Skill>,
    /// By name.
    pub(crate) templates: BTreeMap<String, Template>,
    /// What subagents can run as.
    pub(crate) agents: Agents,
    /// Files that were left out, and things that hide each other.
    pub(crate) problems: Vec<FileProblem>,
}

/// Where to look, and how far the project may go.
pub(crate) struct Search<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) settings: &'a Settings,
    pub(crate) cwd: &'a Path,
    /// Whether the folder is trusted.
    pub(crate) trusted: bool,
}

/// What of a root would take effect if it were trusted.
pub(crate) fn project_things(root: &Path) -> Vec<String> {
    let there = |name: &&&str| root.join(name).exists();
    PROJECT_THINGS.iter().filter(there).map(|name| (*name).to_owned()).collect()
}

impl Search<'_> {
    /// Reads everything.
    pub(crate) fn run(&self) -> Library {
        let mut library = Library::default();
        self.instructions(&mut library);
        if !self.settings.no_skills.unwrap_or(false) {
            for (path, origin, fence) in self.skill_files() {
                read(&path, &fence, &mut library, |text, library| {
                    let skill = skill::parse(&path, origin, text)?;
                    let disabled =
                        self.settings.skill_disable.iter().flatten().any(|name| *name == skill.name);
                    if !disabled {
                        library.skills.insert(skill.name.clone(), skill);
                    }
                    Ok(())
                });
            }
        }
        if !self.settings.no_prompt_templates.unwrap_or(false) {
            for (path, origin, fence) in self.template_files() {
                read(&path, &fence, &mut library, |text, library| {
                    let template = template::parse(&path, origin, text)?;
                    library.templates.insert(template.name.clone(), template);
                    Ok(())
                });
            }
        }
        if !self.settings.no_agents.unwrap_or(false) {
            library.agents = Agents::read(self.paths, self.cwd, self.trusted);
            library.problems.extend_from_slice(library.agents.problems());
        }
        library.problems.sort();
        library
    }

    fn instructions(&self, library: &mut Library) {
        let own = [self.paths.home.join(".kit"), self.paths.config.clone()];
        let mut files: Vec<(PathBuf, Fence)> =
            own.iter().map(|folder| (folder.join(instructions::FILE), Fence::Open)).collect();
        if self.trusted {
            let fence = Fence::around(&instructions::top(self.cwd));
            files.extend(instructions::of_project(self.cwd).into_iter().map(|path| (path, fence.clone())));
        }
        for (path, fence) in files {
            let problem = path.clone();
            match instructions::read(path, &fence) {
                Some(Ok(found)) => library.instructions.push(found),
                Some(Err(why)) => library.problems.push(self::problem(&problem, 0, why)),
                None => {}
            }
        }
    }

    /// Weakest first, so that later ones replace earlier ones.
    fn skill_files(&self) -> Vec<(PathBuf, Origin, Fence)> {
        self.files(
            &self.user_skills(),
            &self.project_skills(),
            self.named_skills(),
            &["md", "txt"],
            Some("SKILL.md"),
        )
    }

    fn user_skills(&self) -> [PathBuf; 2] {
        [self.paths.home.join(".agents/skills"), self.paths.config.join("skills")]
    }

    fn project_skills(&self) -> [PathBuf; 2] {
        [self.cwd.join(".agents/skills"), self.cwd.join(".kit/skills")]
    }

    fn named_skills(&self) -> impl Iterator<Item = &String> {
        self.settings.skills_dir.iter().chain(self.settings.skill.iter().flatten())
    }

    fn template_files(&self) -> Vec<(PathBuf, Origin, Fence)> {
        self.files(&self.user_templates(), &self.project_templates(), self.named_templates(), &["md"], None)
    }

    fn user_templates(&self) -> [PathBuf; 2] {
        [self.paths.home.join(".kit/prompts"), self.paths.config.join("prompts")]
    }

    fn project_templates(&self) -> [PathBuf; 1] {
        [self.cwd.join(".kit/prompts")]
    }

    fn named_templates(&self) -> impl Iterator<Item = &String> {
        self.settings.prompts.iter().flatten().chain(self.settings.prompt_template.iter().flatten())
    }

    /// The folders and files that skills, templates and agents are read from, whether they are there or not.
    pub(crate) fn places(&self) -> Vec<Watched> {
        let mut folders: Vec<PathBuf> = self.user_skills().into();
        folders.extend(self.user_templates());
        folders.extend(agents::user_folders(self.paths));
        if self.trusted {
            folders.extend(self.project_skills());
            folders.extend(self.project_templates());
            folders.extend(agents::project_folders(self.cwd));
        }
        let named = self.named_skills().chain(self.named_templates()).map(|name| self.named_path(name));
        let named = named.map(|path| if path.is_dir() { Watched::Folder(path) } else { Watched::File(path) });
        folders.into_iter().map(Watched::Folder).chain(named).collect()
    }

    fn files<'a>(
        &self,
        user: &[PathBuf],
        project: &[PathBuf],
        named: impl Iterator<Item = &'a String>,
        endings: &[&str],
        nested: Option<&str>,
    ) -> Vec<(PathBuf, Origin, Fence)> {
        let mut found = Vec::new();
        let mut add = |folder: &Path, origin, fence: &Fence| {
            let files = folders::files(folder, endings, nested);
            found.extend(files.into_iter().map(|path| (path, origin, fence.clone())));
        };
        for folder in user {
            add(folder, Origin::User, &Fence::Open);
        }
        if self.trusted {
            let fence = Fence::around(self.cwd);
            for folder in project {
                add(folder, Origin::Project, &fence);
            }
        }
        for name in named {
            let path = self.named_path(name);
            if !self.trusted && self.is_of_project(&path) {
                continue;
            }
            // A folder is a skill itself, or holds some.
            match folders::chosen(path.clone(), endings, nested) {
                Some(file) => found.push((file, Origin::Explicit, Fence::Open)),
                None => {
                    let files = folders::files(&path, endings, nested);
                    found.extend(files.into_iter().map(|path| (path, Origin::Explicit, Fence::Open)));
                }
            }
        }
        found
    }

    /// What a path of the settings means: relative ones start at the session's folder.
    fn named_path(&self, name: &str) -> PathBuf {
        match name.strip_prefix("~/") {
            Some(rest) => std::env::home_dir().unwrap_or_else(|| self.paths.home.clone()).join(rest),
            None => self.cwd.join(name),
        }
    }

    /// Whether a path really lies in the folder; one that cannot be found does not matter.
    fn is_of_project(&self, path: &Path) -> bool {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        real(path).zip(real(self.cwd)).is_some_and(|(path, cwd)| path.starts_with(cwd))
    }
}

/// Reads one file and notes what is wrong with it.
fn read(
    path: &Path,
    fence: &Fence,
    library: &mut Library,
    take: impl FnOnce(&str, &mut Library) -> Result<(), FrontMatterError>,
) {
    match folders::read(path, fence) {
        None => {}
        Some(Err(why)) => library.problems.push(problem(path, 0, why)),
        Some(Ok(text)) => {
            if let Err(error) = take(&text, library) {
                library.problems.push(problem(path, error.line, error.why));
            }
        }
    }
}

fn problem(path: &Path, line: u32, message: String) -> FileProblem {
    FileProblem { path: path.to_string_lossy().into_owned(), line, message }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
    }

    impl Fixture {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("project")).unwrap();
            for (file, text) in files {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self { folder }
        }

        fn library(&self, settings: &Settings, trusted: bool) -> Library {
            let paths = Paths::below(&self.folder.path().join("home"));
            let cwd = self.folder.path().join("project");
            Search { paths: &paths, settings, cwd: &cwd, trusted }.run()
        }
    }

    fn skill(description: &str) -> String {
        format!("---\nname: s\ndescription: {description}\n---\nbody\n")
    }

    fn descriptions(library: &Library) -> Vec<&str> {
        library.skills.values().map(|skill| skill.description.as_str()).collect()
    }

    #[test]
    fn what_a_setting_names_wins_over_the_project_and_that_over_the_user() {
        let [user, agents, kit, named] = ["user", "agents", "kit", "named"].map(skill);
        let fixture = Fixture::new(&[
            ("home/.agents/skills/s.md", &user),
            ("project/.agents/skills/s/SKILL.md", &agents),
            ("project/.kit/skills/s.md", &kit),
            ("elsewhere/s.md", &named),
            ("home/.kit/prompts/p.md", "user"),
            ("home/config/prompts/p.md", "config"),
            ("project/.kit/prompts/p.md", "project"),
        ]);
        let plain = Settings::default();
        let expanded = |library: &Library| {
            let input = kit_protocol::CommandInput::Line(String::new());
            library.templates["p"].expand(&input, "m").unwrap()
        };
        let trusted = fixture.library(&plain, true);
        assert_eq!((descriptions(&trusted), expanded(&trusted).as_str()), (vec!["kit"], "project"));
        let untrusted = fixture.library(&plain, false);
        assert_eq!((descriptions(&untrusted), expanded(&untrusted).as_str()), (vec!["user"], "config"));
        let named = Settings { skill: Some(vec!["../elsewhere".into()]), ..Settings::default() };
        assert_eq!(descriptions(&fixture.library(&named, true)), ["named"]);
        let disabled = Settings { skill_disable: Some(vec!["s".into()]), ..Settings::default() };
        assert_eq!(descriptions(&fixture.library(&disabled, true)), Vec::<&str>::new());
        let none = Settings { no_skills: Some(true), no_prompt_templates: Some(true), ..Settings::default() };
        assert_eq!(fixture.library(&none, true), Library::default());
    }

    #[test]
    fn nothing_of_an_untrusted_project_is_read_even_when_a_setting_names_it() {
        let text = skill("evil");
        let fixture = Fixture::new(&[
            ("project/AGENTS.md", "evil"),
            ("project/.kit/skills/s.md", &text),
            ("project/.kit/prompts/p.md", "evil"),
            ("project/mine/t.md", &text),
        ]);
        let settings = Settings {
            skills_dir: Some("mine".into()),
            prompts: Some(vec![".kit/prompts".into()]),
            ..Settings::default()
        };
        assert_eq!(fixture.library(&settings, false), Library::default());
        let root = fixture.folder.path().join("project");
        assert_eq!(project_things(&root), ["AGENTS.md", ".kit/skills", ".kit/prompts"]);
        let trusted = fixture.library(&settings, true);
        assert_eq!((trusted.instructions.len(), trusted.skills.len(), trusted.templates.len()), (1, 1, 1));
    }

    #[test]
    fn a_wrong_file_is_left_out_alone_with_its_line() {
        let good = skill("good");
        let fixture = Fixture::new(&[
            ("project/.kit/skills/bad.md", "---\nname: bad\ndescription: [x\n---\n"),
            ("project/.kit/skills/good.md", &good),
            ("project/.kit/prompts/bad.md", "---\ncode-action: never\n---\nx"),
        ]);
        let library = fixture.library(&Settings::default(), true);
        assert_eq!(descriptions(&library), ["good"]);
        let told: Vec<(bool, u32)> = library
            .problems
            .iter()
            .map(|problem| (problem.path.ends_with("prompts/bad.md"), problem.line))
            .collect();
        assert_eq!(told.first(), Some(&(true, 1)));
        assert!(matches!(told.get(1), Some((false, 1..=3))), "{told:?}");
    }

    #[test]
    fn the_users_instructions_come_before_the_projects() {
        let fixture = Fixture::new(&[
            ("home/.kit/AGENTS.md", "one"),
            ("home/config/AGENTS.md", "two"),
            ("project/AGENTS.md", "three"),
        ]);
        let texts = |trusted| {
            let library = fixture.library(&Settings::default(), trusted);
            library.instructions.into_iter().map(|found| found.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(true), ["one", "two", "three"]);
        assert_eq!(texts(false), ["one", "two"]);
    }
}
