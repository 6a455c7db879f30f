//! Prompt templates: Markdown files that become prompts, with what the user writes behind their name filled in.
//!
//! Front matter: `description`; `arguments`, a list of names for the words behind the command, where `--name` or `-n`
//! takes a flag with its value out of the line and a last `name...` takes what is left; `code-action`, which offers the
//! template in the editor's menu of actions: `true`, `refactor` or `quickfix`. Conditions for models are decided before
//! anything is filled in, so that an argument can never make one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kit_protocol::CommandInput;

use super::conditions;
use super::front_matter::{self, FrontMatter, FrontMatterError};
use super::origin::Origin;
use super::placeholders::{self, Arguments, Needs};

/// Where an editor offers a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Among what can be done with a file or selection.
    Source,
    /// Among rewrites.
    Refactor,
    /// Where a diagnostic is.
    QuickFix,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) action: Option<ActionKind>,
    /// The names of its arguments as the front matter has them.
    pub(crate) pattern: Vec<String>,
    body: String,
}

/// Reads a template, which is named after its file.
pub(crate) fn parse(path: &Path, origin: Origin, text: &str) -> Result<Template, FrontMatterError> {
    let front = front_matter::parse(text)?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty() || name.contains(char::is_whitespace) {
        let why = "a template's file name is its command and must be one word; it is left out".to_owned();
        return Err(FrontMatterError { line: 0, why });
    }
    if front.body.is_empty() {
        return Err(FrontMatterError { line: 0, why: "the template is empty; it is left out".to_owned() });
    }
    let template = Template {
        name,
        description: front.text("description")?.unwrap_or_default(),
        path: path.to_owned(),
        origin,
        action: action(&front)?,
        pattern: front.list("arguments")?.unwrap_or_default(),
        body: front.body.clone(),
    };
    if template.action.is_some() && template.needs().words > 0 {
        let why = "a template that needs arguments cannot be a code action; it is left out".to_owned();
        return Err(FrontMatterError { line: front.line_of("code-action"), why });
    }
    Ok(template)
}

fn action(front: &FrontMatter) -> Result<Option<ActionKind>, FrontMatterError> {
    match front.text("code-action")?.as_deref() {
        None | Some("false") => Ok(None),
        Some("true" | "source") => Ok(Some(ActionKind::Source)),
        Some("refactor") => Ok(Some(ActionKind::Refactor)),
        Some("quickfix") => Ok(Some(ActionKind::QuickFix)),
        Some(_) => Err(front.wrong("code-action", "true, refactor or quickfix")),
    }
}

impl Template {
    /// What it needs, over all models.
    pub(crate) fn needs(&self) -> Needs {
        placeholders::needs(&self.body)
    }

    /// What people write behind its name: `<target> [--loop …] [rest…]`; `None` if it takes nothing.
    pub(crate) fn usage(&self) -> Option<String> {
        if !self.pattern.is_empty() {
            let word = |name: &String| match (name.strip_prefix('-'), name.strip_suffix("...")) {
                (Some(_), _) => format!("[{name} …]"),
                (None, Some(rest)) => format!("[{rest}…]"),
                (None, None) => format!("<{name}>"),
            };
            return Some(self.pattern.iter().map(word).collect::<Vec<_>>().join(" "));
        }
        let needs = self.needs();
        if !needs.takes_words {
            return None;
        }
        let mut words: Vec<String> = (1..=needs.words).map(|number| format!("<{number}>")).collect();
        if words.is_empty() {
            words.push("[arguments…]".to_owned());
        }
        Some(words.join(" "))
    }

    /// The prompt. The error is one sentence about what is missing.
    pub(crate) fn expand(&self, input: &CommandInput, model: &str) -> Result<String, String> {
        let body = conditions::for_model(&self.body, model);
        let arguments = self.arguments(input);
        let needs = placeholders::needs(&body);
        let given = arguments.words.len();
        if given < needs.words {
            let usage = self.usage().unwrap_or_default();
            let noun = if needs.words == 1 { "argument" } else { "arguments" };
            return Err(format!(
                "`/{}` needs {} {noun} and got {given}; write /{} {usage}",
                self.name, needs.words, self.name
            ));
        }
        let mut prompt = placeholders::fill(&body, &arguments);
        // Words that the template does not ask for are the user's all the same.
        let unused = !needs.takes_words && needs.named.is_empty() && !arguments.words.is_empty();
        if unused {
            prompt.push_str(&format!("\n\n{}", arguments.words.join(" ")));
        }
        Ok(prompt)
    }

    fn arguments(&self, input: &CommandInput) -> Arguments {
        match input {
            CommandInput::Line(line) => self.read(placeholders::words(line)),
            CommandInput::Words(words) => self.read(words.clone()),
            CommandInput::Named(named) => {
                let positional = self.pattern.iter().filter(|name| !name.starts_with('-'));
                let words = positional.filter_map(|name| named.get(name.trim_end_matches("...")).cloned());
                Arguments { words: words.collect(), named: named.clone() }
            }
        }
    }

    /// Takes flags out of the words and names the rest as the pattern says.
    fn read(&self, given: Vec<String>) -> Arguments {
        let mut named = BTreeMap::new();
        let mut words = Vec::new();
        let mut given = given.into_iter().peekable();
        while let Some(word) = given.next() {
            let (flag, joined) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if flag.starts_with('-') && self.pattern.iter().any(|name| name == flag) {
                let value = joined.or_else(|| given.next_if(|next| !next.starts_with('-')));
                let name = flag.trim_start_matches('-').replace('-', "_");
                named.insert(name, value.unwrap_or_else(|| "true".to_owned()));
            } else {
                words.push(word);
            }
        }
        // A flag that is not given is empty, like a word that is not given.
        for flag in self.pattern.iter().filter(|name| name.starts_with('-')) {
            named.entry(flag.trim_start_matches('-').replace('-', "_")).or_default();
        }
        let names = self.pattern.iter().filter(|name| !name.starts_with('-'));
        for (at, name) in names.enumerate() {
            let value = match name.strip_suffix("...") {
                Some(_) => words.get(at..).map(|rest| rest.join(" ")),
                None => words.get(at).cloned(),
            };
            named.insert(name.trim_end_matches("...").to_owned(), value.unwrap_or_default());
        }
        Arguments { words, named }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        parse(Path::new("/p/review.md"), Origin::User, text).unwrap()
    }

    fn expand(text: &str, line: &str) -> Result<String, String> {
        template(text).expand(&CommandInput::Line(line.to_owned()), "anthropic/claude-x")
    }

    #[test]
    fn words_and_flags_are_filled_in() {
        let text = "---\ndescription: Reviews\narguments: [target, --loop, -f, rest...]\n---\n\
                    {{target}} {{loop}} {{f}} [{{rest}}] $1 $@";
        assert_eq!(expand(text, "a --loop 5 b -f c"), Ok("a 5 c [b] a a b".into()));
        assert_eq!(expand(text, "a --loop=x"), Ok("a x  [] a a".into()));
        assert_eq!(template(text).usage().as_deref(), Some("<target> [--loop …] [-f …] [rest…]"));
        let named = CommandInput::Named(BTreeMap::from([("target".into(), "t".into())]));
        assert_eq!(
            template("---\narguments: [target]\n---\n{{target}} $1").expand(&named, "m"),
            Ok("t t".into())
        );
    }

    #[test]
    fn missing_arguments_are_one_sentence() {
        assert_eq!(
            expand("$2 and $1", "one"),
            Err("`/review` needs 2 arguments and got 1; write /review <1> <2>".into())
        );
        assert_eq!(expand("$+", ""), Err("`/review` needs 1 argument and got 0; write /review <1>".into()));
    }

    #[test]
    fn words_that_nobody_asks_for_follow_the_text() {
        assert_eq!(expand("Review it.", "and fix it"), Ok("Review it.\n\nand fix it".into()));
        assert_eq!(expand("Review it.", ""), Ok("Review it.".into()));
    }

    #[test]
    fn conditions_come_before_arguments() {
        let text = "<if-model is=\"claude-*\">brief<else>long $2</if-model> $1";
        assert_eq!(expand(text, "'<if-model is=\"*\">'"), Ok("brief <if-model is=\"*\">".into()));
    }

    #[test]
    fn templates_ask_to_be_actions() {
        let action = |value: &str| template(&format!("---\ncode-action: {value}\n---\nDo it.")).action;
        assert_eq!(
            ["true", "refactor", "quickfix", "false"].map(action),
            [Some(ActionKind::Source), Some(ActionKind::Refactor), Some(ActionKind::QuickFix), None]
        );
        let check = |path: &str, text: &str, line: u32, why: &str| {
            let error = parse(Path::new(path), Origin::User, text).unwrap_err();
            assert_eq!((error.line, error.why.as_str()), (line, why));
        };
        check(
            "/p/a.md",
            "---\ncode-action: soon\n---\nx",
            1,
            "`code-action` must be true, refactor or quickfix",
        );
        check(
            "/p/a.md",
            "---\ncode-action: true\n---\n$1",
            1,
            "a template that needs arguments cannot be a code action; it is left out",
        );
        check("/p/a.md", "---\ndescription: d\n---\n", 0, "the template is empty; it is left out");
        check(
            "/p/a b.md",
            "x",
            0,
            "a template's file name is its command and must be one word; it is left out",
        );
    }
}
