//! Skills: instructions for one kind of task, as Markdown with front matter.
//!
//! A skill is told to the model by name and description only; its text is read again when it is activated, and stands in
//! the conversation as a `<skill_content>` block from then on. Pure but for the list of files beside a skill, which its
//! caller brings.

use std::path::{Path, PathBuf};

use super::front_matter::{self, FrontMatter, FrontMatterError};
use super::origin::Origin;

/// A description is told up to here.
const LONGEST_DESCRIPTION: usize = 1024;
/// The catalogue in the system prompt is cut here.
const LARGEST_CATALOGUE: usize = 24 * 1024;
/// The text of an activated skill is cut here.
const LARGEST_SKILL: usize = 64 * 1024;
/// Files beside a skill that are told.
pub(crate) const MOST_RESOURCES: usize = 50;
/// The folders beside a skill whose files are told.
pub(crate) const RESOURCE_FOLDERS: [&str; 3] = ["assets", "references", "scripts"];

/// A skill without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skill {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) compatibility: Option<String>,
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
    /// The rules of `allowed-tools`; while the skill is active, nothing else may be called.
    pub(crate) allowed_tools: Option<Vec<String>>,
    /// Whether only the user activates it.
    pub(crate) for_user_only: bool,
    pub(crate) body: String,
}

/// Reads a skill. The name stands in the front matter, else the file's or folder's name is taken.
pub(crate) fn parse(path: &Path, origin: Origin, text: &str) -> Result<Skill, FrontMatterError> {
    let front = front_matter::parse(text)?;
    let name = match front.text("name")? {
        Some(name) => name,
        None => name_of(path).ok_or_else(|| missing(&front, "name"))?,
    };
    if name.contains(|letter: char| letter.is_control() || "<>\"/".contains(letter)) {
        return Err(front.wrong("name", "a plain word"));
    }
    let description = front.text("description")?.ok_or_else(|| missing(&front, "description"))?;
    Ok(Skill {
        name,
        description,
        compatibility: front.text("compatibility")?,
        path: path.to_owned(),
        origin,
        allowed_tools: front.list("allowed-tools")?,
        for_user_only: front.flag("disable-model-invocation")?,
        body: front.body,
    })
}

fn missing(front: &FrontMatter, name: &str) -> FrontMatterError {
    FrontMatterError {
        line: front.line_of(name),
        why: format!("a skill needs a `{name}` in its front matter; it is left out"),
    }
}

/// The name that a skill has by its place: `deploy.md` and `deploy/SKILL.md` are both `deploy`.
fn name_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_string_lossy();
    let place =
        if stem.eq_ignore_ascii_case("SKILL") { path.parent()?.file_name()? } else { path.file_stem()? };
    Some(place.to_string_lossy().into_owned())
}

/// The part of the system prompt about skills, in the order given; empty without any.
pub(crate) fn catalogue<'a>(skills: impl Iterator<Item = &'a Skill>) -> String {
    let mut listed = String::new();
    let mut left_out = 0_usize;
    for skill in skills.filter(|skill| !skill.for_user_only) {
        let mut entry = format!(
            "  <skill>\n    <name>{}</name>\n    <description>{}</description>\n",
            escaped(&skill.name),
            escaped(shortened(&skill.description))
        );
        if let Some(compatibility) = &skill.compatibility {
            let compatibility = escaped(shortened(compatibility));
            entry.push_str(&format!("    <compatibility>{compatibility}</compatibility>\n"));
        }
        let location = escaped(&skill.path.to_string_lossy());
        entry.push_str(&format!("    <location>{location}</location>\n  </skill>\n"));
        if listed.len() + entry.len() > LARGEST_CATALOGUE {
            left_out += 1;
        } else {
            listed.push_str(&entry);
        }
    }
    if listed.is_empty() {
        return String::new();
    }
    if left_out > 0 {
        listed.push_str(&format!("  [{left_out} more skills are left out]\n"));
    }
    format!(
        "# Skills\n\nA skill holds instructions for one kind of task. When a task fits a description, call \
`activate_skill` with the name before you begin, and follow what it says. Paths in a skill are relative to the folder \
of its file.\n\n<available_skills>\n{listed}</available_skills>\n"
    )
}

/// What the model reads of an activated skill. `resources` are paths relative to the skill's folder, and how many there
/// are in all.
pub(crate) fn content(skill: &Skill, resources: &[String], all_resources: usize) -> String {
    let keep = skill.body.floor_char_boundary(LARGEST_SKILL);
    let mut body = skill.body.get(..keep).unwrap_or_default().to_owned();
    if keep < skill.body.len() {
        body.push_str(&format!("\n[{} more bytes are cut; read the file]", skill.body.len() - keep));
    }
    let mut text = format!(
        "{}{}\">\n{body}\n</skill_content>",
        opening(&skill.name),
        escaped(&skill.path.to_string_lossy())
    );
    if !resources.is_empty() {
        let folder = skill.path.parent().unwrap_or(&skill.path);
        text.push_str(&format!("\n<skill_resources folder=\"{}\">\n", escaped(&folder.to_string_lossy())));
        for resource in resources {
            text.push_str(&format!("{resource}\n"));
        }
        let more = all_resources.saturating_sub(resources.len());
        if more > 0 {
            text.push_str(&format!("[{more} more files]\n"));
        }
        text.push_str("</skill_resources>");
    }
    if let Some(allowed) = &skill.allowed_tools {
        text.push_str(&format!(
            "\n[until this turn ends, only these tools may be called: {}]",
            allowed.join(", ")
        ));
    }
    text
}

/// How the block of an activated skill begins; by it the conversation tells what is loaded.
pub(crate) fn opening(name: &str) -> String {
    format!("<skill_content name=\"{}\" location=\"", escaped(name))
}

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_DESCRIPTION)).unwrap_or_default()
}

/// A text inside of XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skill(path: &str, text: &str) -> Result<Skill, FrontMatterError> {
        parse(Path::new(path), Origin::Project, text)
    }

    #[test]
    fn a_skill_is_read_with_upstreams_front_matter() {
        let text = "---\nname: deploy\ndescription: Use it: always\nlicense: MIT\ncompatibility: needs git\n\
                    allowed-tools: Read Bash(git status)\ndisable-model-invocation: true\ntags: [a]\n---\nDo it.\n";
        let expected = Skill {
            name: "deploy".into(),
            description: "Use it: always".into(),
            compatibility: Some("needs git".into()),
            path: "/s/x/SKILL.md".into(),
            origin: Origin::Project,
            allowed_tools: Some(vec!["Read".into(), "Bash(git status)".into()]),
            for_user_only: true,
            body: "Do it.".into(),
        };
        assert_eq!(skill("/s/x/SKILL.md", text), Ok(expected));
    }

    #[test]
    fn a_skill_without_a_name_is_named_after_its_place() {
        let name = |path: &str| skill(path, "---\ndescription: d\n---\n").unwrap().name;
        assert_eq!(
            [name("/s/deploy.md"), name("/s/review/SKILL.md"), name("/s/x/skill.MD")],
            ["deploy", "review", "x"]
        );
    }

    #[test]
    fn a_skill_that_cannot_be_told_is_left_out_with_its_line() {
        let why = |text: &str| {
            let error = skill("/s/a.md", text).unwrap_err();
            (error.line, error.why)
        };
        let missing = "a skill needs a `description` in its front matter; it is left out".to_owned();
        assert_eq!(why("just text"), (0, missing.clone()));
        assert_eq!(why("---\nname: a\ndescription:\n---\n"), (2, missing));
        assert_eq!(why("---\nname: a<b\ndescription: d\n---\n"), (1, "`name` must be a plain word".into()));
    }

    #[test]
    fn the_catalogue_is_escaped_and_leaves_out_what_only_the_user_activates() {
        let one = skill("/s/a & b.md", "---\nname: one\ndescription: a < b\n---\n").unwrap();
        let hidden = Skill { for_user_only: true, ..one.clone() };
        let listed = catalogue([&one, &hidden].into_iter());
        assert!(
            listed.ends_with(
                "<available_skills>\n  <skill>\n    <name>one</name>\n    <description>a &lt; b</description>\n    \
                 <location>/s/a &amp; b.md</location>\n  </skill>\n</available_skills>\n"
            ),
            "{listed}"
        );
        assert_eq!(catalogue([&hidden].into_iter()), "");
        let long = Skill { description: "x".repeat(5000), ..one };
        let many = vec![long; 100];
        let listed = catalogue(many.iter());
        assert!(listed.len() < LARGEST_CATALOGUE + 1000 && listed.contains("more skills are left out"));
    }

    #[test]
    fn activated_content_names_place_files_and_allowed_tools() {
        let text = "---\nname: one\ndescription: d\nallowed-tools: Read\n---\nBody.\n";
        let resources = ["scripts/a.sh".to_owned()];
        assert_eq!(
            content(&skill("/s/one/SKILL.md", text).unwrap(), &resources, 3),
            "<skill_content name=\"one\" location=\"/s/one/SKILL.md\">\nBody.\n</skill_content>\n\
             <skill_resources folder=\"/s/one\">\nscripts/a.sh\n[2 more files]\n</skill_resources>\n\
             [until this turn ends, only these tools may be called: Read]"
        );
    }
}
