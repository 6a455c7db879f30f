//! The answers that a permission question offers, each with what it writes and where.

use std::path::Path;

use kit_protocol::{PermissionOption, PermissionOptionKind, PermissionScope};

use crate::policy::{Effect, Suggestion};

/// One possible answer and what choosing it makes hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// As the client shows it.
    pub(crate) option: PermissionOption,
    /// The rule that is remembered.
    pub(crate) remembers: Option<(PermissionScope, Effect, String)>,
}

/// Once, for the session, for good here, for good everywhere; reject, reject for good here.
pub(crate) fn choices(suggestions: &[Suggestion], file: &Path) -> Vec<Choice> {
    let mut choices = vec![once("allow-once", "Allow once", PermissionOptionKind::AllowOnce)];
    choices.extend(suggestions.iter().map(|suggestion| always(suggestion, Effect::Allow, file)));
    choices.push(once("reject-once", "Reject", PermissionOptionKind::RejectOnce));
    let rejectable = suggestions.iter().find(|suggestion| suggestion.scope == PermissionScope::Project);
    choices.extend(rejectable.map(|suggestion| always(suggestion, Effect::Deny, file)));
    choices
}

fn once(id: &str, label: &str, kind: PermissionOptionKind) -> Choice {
    let option =
        PermissionOption { id: id.to_owned(), label: label.to_owned(), kind, scope: None, rule: None };
    Choice { option, remembers: None }
}

fn always(Suggestion { scope, rule }: &Suggestion, effect: Effect, file: &Path) -> Choice {
    let (verb, kind, word) = match effect {
        Effect::Allow => ("allow", PermissionOptionKind::AllowAlways, "Allow"),
        Effect::Deny => ("reject", PermissionOptionKind::RejectAlways, "Reject"),
    };
    let (name, reach) = match scope {
        PermissionScope::Session => ("session", "in this session".to_owned()),
        PermissionScope::Project => {
            ("project", format!("always in this project, written to {}", file.display()))
        }
        PermissionScope::User => ("user", format!("always in all projects, written to {}", file.display())),
    };
    let option = PermissionOption {
        id: format!("{verb}-{name}"),
        label: format!("{word} `{rule}` {reach}"),
        kind,
        scope: Some(*scope),
        rule: Some(rule.clone()),
    };
    Choice { option, remembers: Some((*scope, effect, rule.clone())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lasting_answer_names_its_rule_and_its_file() {
        let scopes = [PermissionScope::Session, PermissionScope::Project, PermissionScope::User];
        let suggestions = scopes.map(|scope| Suggestion { scope, rule: "Bash(cargo test:*)".to_owned() });
        let shown: Vec<(String, String)> = choices(&suggestions, Path::new("/c/permissions.json"))
            .into_iter()
            .map(|choice| (choice.option.id, choice.option.label))
            .collect();
        let expected = [
            ("allow-once", "Allow once"),
            ("allow-session", "Allow `Bash(cargo test:*)` in this session"),
            (
                "allow-project",
                "Allow `Bash(cargo test:*)` always in this project, written to /c/permissions.json",
            ),
            (
                "allow-user",
                "Allow `Bash(cargo test:*)` always in all projects, written to /c/permissions.json",
            ),
            ("reject-once", "Reject"),
            (
                "reject-project",
                "Reject `Bash(cargo test:*)` always in this project, written to /c/permissions.json",
            ),
        ];
        assert_eq!(shown, expected.map(|(id, label)| (id.to_owned(), label.to_owned())));
    }

    #[test]
    fn without_a_rule_only_this_call_is_answered() {
        let ids: Vec<String> = choices(&[], Path::new("/c/permissions.json"))
            .into_iter()
            .map(|choice| choice.option.id)
            .collect();
        assert_eq!(ids, ["allow-once", "reject-once"]);
    }
}
