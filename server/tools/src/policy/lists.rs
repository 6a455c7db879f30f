//! The rules of all sources in their three lists.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_protocol::PermissionRules;

use super::rule::{InvalidRule, Place, Rule};
use super::{Call, Effect};

/// Rules of one layer of settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleLayer {
    /// Where they are from, for people: a file, or the editor's settings.
    pub origin: String,
    /// The root whose file they stand in. What they allow holds for sessions that work there and for files in it alone;
    /// what they deny or ask holds everywhere.
    pub project: Option<PathBuf>,
    /// The rules.
    pub rules: PermissionRules,
}

impl RuleLayer {
    /// The rules that cannot be read.
    pub fn problems(&self) -> Vec<RuleProblem> {
        // Where `~` is changes nothing about whether a rule can be read.
        Lists::default().add(&self.rules, &self.origin, None, Path::new("/"))
    }
}

/// A rule that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}` in {origin}: {error}")]
pub struct RuleProblem {
    /// As it was written.
    pub rule: String,
    /// The list that it stands in: `deny`, `ask` or `allow`.
    pub list: &'static str,
    /// Where.
    pub origin: String,
    /// Why.
    pub error: InvalidRule,
}

/// A rule and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Sourced {
    pub(super) rule: Rule,
    pub(super) origin: Arc<str>,
    /// The project that it was remembered for.
    pub(super) project: Option<Arc<Path>>,
}

impl Sourced {
    /// A rule that was remembered for one project says nothing about the other folders of a workspace.
    pub(super) fn allows_place(&self, place: Place<'_>) -> bool {
        let elsewhere = match (&self.project, place.root) {
            (Some(project), Some(root)) => **project != *root,
            (Some(_), None) | (None, _) => false,
        };
        !elsewhere && self.rule.allows_place(place)
    }
}

impl fmt::Display for Sourced {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` ({})", self.rule.text(), self.origin)
    }
}

/// The rules of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    deny: Vec<Sourced>,
    ask: Vec<Sourced>,
    allow: Vec<Sourced>,
}

#[derive(Clone, Copy)]
pub(super) enum Part {
    Deny,
    Ask,
    Allow,
}

/// The rules of one layer of settings, for sessions in its project and for those elsewhere.
#[derive(Clone, Debug)]
pub(super) struct LayerLists {
    project: Option<PathBuf>,
    here: Arc<Lists>,
    elsewhere: Arc<Lists>,
}

impl LayerLists {
    pub(super) fn of(layers: &[RuleLayer], home: &Path) -> (Vec<Self>, Vec<RuleProblem>) {
        let mut problems = Vec::new();
        let read = |layer: &RuleLayer| {
            let project = layer.project.as_ref().map(|root| real(root));
            let mut lists = Lists::default();
            problems.extend(lists.add(&layer.rules, &layer.origin, project.as_deref(), home));
            let elsewhere = Lists { allow: Vec::new(), ..lists.clone() };
            Self { project, here: Arc::new(lists), elsewhere: Arc::new(elsewhere) }
        };
        let layers = layers.iter().map(read).collect();
        (layers, problems)
    }

    /// What of all layers holds for a session in a folder.
    pub(super) fn holding(layers: &[Self], folder: &Path) -> Vec<Arc<Lists>> {
        let any = layers.iter().any(|layer| layer.project.is_some());
        let folder = if any { real(folder) } else { folder.to_owned() };
        let holds = |layer: &Self| layer.project.as_ref().is_none_or(|project| folder.starts_with(project));
        let lists = layers.iter().map(|layer| if holds(layer) { &layer.here } else { &layer.elsewhere });
        lists.cloned().collect()
    }
}

/// A folder without links in its path.
fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

impl Lists {
    /// Adds the rules of a source. What cannot be read asks if it was to deny or to ask, and is left out otherwise.
    pub(super) fn add(
        &mut self,
        rules: &PermissionRules,
        origin: &str,
        project: Option<&Path>,
        home: &Path,
    ) -> Vec<RuleProblem> {
        let origin: Arc<str> = origin.into();
        let project: Option<Arc<Path>> = project.map(Into::into);
        let source = |rule| Sourced { rule, origin: origin.clone(), project: project.clone() };
        let mut problems = Vec::new();
        let parts = [
            (Part::Deny, "deny", &rules.deny),
            (Part::Ask, "ask", &rules.ask),
            (Part::Allow, "allow", &rules.allow),
        ];
        for (part, list, texts) in parts {
            for text in texts {
                match (Rule::parse(text, home), part) {
                    (Ok(rule), Part::Deny) => self.deny.push(source(rule)),
                    (Ok(rule), Part::Ask) => self.ask.push(source(rule)),
                    (Ok(rule), Part::Allow) => self.allow.push(source(rule)),
                    (Err(error), part) => {
                        if matches!(part, Part::Deny | Part::Ask) {
                            self.ask.extend(Rule::widest(text).into_iter().map(source));
                        }
                        let (rule, origin) = (text.clone(), origin.to_string());
                        problems.push(RuleProblem { rule, list, origin, error });
                    }
                }
            }
        }
        problems
    }

    pub(super) fn part(&self, part: Part) -> &[Sourced] {
        match part {
            Part::Deny => &self.deny,
            Part::Ask => &self.ask,
            Part::Allow => &self.allow,
        }
    }

    pub(super) fn part_mut(&mut self, effect: Effect) -> &mut Vec<Sourced> {
        match effect {
            Effect::Allow => &mut self.allow,
            Effect::Deny => &mut self.deny,
        }
    }
}

/// One part of the rules of all sources, as far as it is about the call's tool.
pub(super) struct Layered<'a> {
    pub(super) lists: &'a [Arc<Lists>],
    pub(super) part: Part,
    pub(super) call: &'a Call<'a>,
}

impl Layered<'_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Sourced> {
        let rules = self.lists.iter().flat_map(|list| list.part(self.part));
        rules.filter(|sourced| sourced.rule.is_about(self.call.tool, self.call.kind))
    }
}
