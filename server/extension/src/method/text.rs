//! Templates, arguments and conditions on the model: pure, but for skills.

use std::sync::Arc;

use kit_contract::{
    ArgumentPattern, ModelConditionParameters, NameParameters, ParseArgumentsParameters, ParsedArguments,
    ParsedTemplate, RenderTemplateParameters, SimpleParseArgumentsParameters, Skill, TemplateParameters,
    TextParameters,
};

use kit_protocol::{CommandKind, CommandListArguments, SessionId};

use super::sessions::{prompt_later, refused, text_only};
use crate::caller::{Caller, parse};
use crate::extensions::Extensions;
use crate::sandbox::{Failure, FailureCode};

/// The pieces of a template: text, and names between braces.
fn pieces(template: &str) -> Vec<Result<&str, &str>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        pieces.push(Ok(before));
        pieces.push(Err(name.trim()));
        rest = behind;
    }
    pieces.push(Ok(rest));
    pieces
}

pub(super) fn parse_template(parameters: &str) -> Result<ParsedTemplate, Failure> {
    let TemplateParameters { template } = parse("parseTemplate", parameters)?;
    let mut variables: Vec<String> = Vec::new();
    for name in pieces(&template).into_iter().filter_map(Result::err) {
        if !variables.iter().any(|known| known == name) {
            variables.push(name.to_owned());
        }
    }
    Ok(ParsedTemplate { variables })
}

pub(super) fn render_template(parameters: &str) -> Result<String, Failure> {
    let RenderTemplateParameters { template, variables } = parse("renderTemplate", parameters)?;
    let rendered = pieces(&template).into_iter().map(|piece| match piece {
        Ok(text) => text.to_owned(),
        Err(name) => variables.get(name).cloned().unwrap_or_else(|| format!("{{{{{name}}}}}")),
    });
    Ok(rendered.collect())
}

/// Words of a line; quotes keep spaces.
fn words(line: &str) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut quote = None;
    let mut inside = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                if !inside {
                    words.push((at, String::new()));
                    inside = true;
                }
            }
            (None, c) if c.is_whitespace() => inside = false,
            (_, c) => {
                if !inside {
                    words.push((at, String::new()));
                    inside = true;
                }
                if let Some((_, word)) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words
}

pub(super) fn parse_arguments(parameters: &str) -> Result<ParsedArguments, Failure> {
    let ParseArgumentsParameters { input, pattern } = parse("parseArguments", parameters)?;
    let ArgumentPattern { positional, rest, flags } = pattern;
    let mut parsed = ParsedArguments::default();
    let mut left = words(&input).into_iter().peekable();
    let mut names = positional.iter();
    while let Some((at, word)) = left.next() {
        if let Some(flag) = word.strip_prefix("--") {
            let (name, given) =
                flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value.to_owned())));
            match flags.get(name).map(String::as_str) {
                None => parsed.error = Some(format!("--{name} is not known")),
                Some("bool") => {
                    parsed.flags.insert(name.to_owned(), given.unwrap_or_else(|| "true".to_owned()));
                }
                Some(_) => match given.or_else(|| left.next().map(|(_, word)| word)) {
                    Some(value) => {
                        parsed.flags.insert(name.to_owned(), value);
                    }
                    None => parsed.error = Some(format!("--{name} has no value")),
                },
            }
        } else if let Some(name) = names.next() {
            parsed.values.insert(name.clone(), word);
        } else if let Some(rest) = &rest {
            parsed.values.insert(rest.clone(), input.get(at..).unwrap_or_default().to_owned());
            break;
        } else {
            parsed.error = Some(format!("`{word}` was not expected"));
        }
    }
    if let Some(missing) = names.next() {
        parsed.error.get_or_insert_with(|| format!("{missing} is missing"));
    }
    Ok(parsed)
}

pub(super) fn simple_parse_arguments(parameters: &str) -> Result<Vec<String>, Failure> {
    let SimpleParseArgumentsParameters { input, count } = parse("simpleParseArguments", parameters)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let all = words(&input);
    let rest = all.get(count).map_or("", |(at, _)| input.get(*at..).unwrap_or_default());
    let mut parts = vec![input.clone()];
    // One word more than the line can have is asked for at most.
    parts.extend(
        (0..count.min(input.len() + 1))
            .map(|index| all.get(index).map(|(_, word)| word.clone()).unwrap_or_default()),
    );
    parts.push(rest.to_owned());
    Ok(parts)
}

/// Whether a model matches one of several patterns, by its whole id or its name alone.
fn matches_model(model: &str, condition: &str) -> bool {
    let name = model.split_once('/').map_or(model, |(_, name)| name);
    let patterns = condition.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
    patterns.into_iter().any(|pattern| {
        wildcard(pattern.as_bytes(), model.as_bytes()) || wildcard(pattern.as_bytes(), name.as_bytes())
    })
}

/// `*` is any text and `?` any character. Linear in the pattern times the text.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for expected in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut any = false;
        for (at, slot) in next.iter_mut().enumerate() {
            let here = reached.get(at).copied().unwrap_or(false);
            any |= here;
            let before = at.checked_sub(1).and_then(|at| Some((*reached.get(at)?, *text.get(at)?)));
            *slot = match expected {
                b'*' => any,
                b'?' => before.is_some_and(|(reached, _)| reached),
                expected => before.is_some_and(|(reached, c)| reached && c == *expected),
            };
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

pub(super) fn model_condition(model: &str, parameters: &str) -> Result<bool, Failure> {
    let ModelConditionParameters { condition } = parse("evaluateModelConditional", parameters)?;
    Ok(matches_model(model, &condition))
}

pub(super) fn model_conditions(model: &str, parameters: &str) -> Result<String, Failure> {
    let TextParameters { text } = parse("renderWithModelConditionals", parameters)?;
    let mut rendered = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<if-model is=\"") {
        let Some((condition, after)) = after.split_once("\">") else { break };
        let Some((inside, behind)) = after.split_once("</if-model>") else { break };
        rendered.push_str(before);
        let (then, otherwise) = inside.split_once("<else>").unwrap_or((inside, ""));
        let otherwise = otherwise.strip_suffix("</else>").unwrap_or(otherwise);
        rendered.push_str(if matches_model(model, condition) { then } else { otherwise });
        rest = behind;
    }
    rendered.push_str(rest);
    Ok(rendered)
}

/// The prefix of the names of skills among commands.
const SKILL: &str = "skill:";

pub(super) async fn skills(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<Skill>, Failure> {
    skills_of(hub, caller.session(hub, parameters)).await
}

async fn skills_of(hub: &Extensions, session: Option<SessionId>) -> Result<Vec<Skill>, Failure> {
    let listed = hub.sessions()?.command_list(CommandListArguments { session }).await.map_err(refused)?;
    let skills = listed.commands.into_iter().filter(|command| command.kind == CommandKind::Skill);
    Ok(skills
        .map(|command| Skill {
            name: command.name.trim_start_matches(SKILL).to_owned(),
            description: command.description,
            path: command.source.unwrap_or_default(),
            content: None,
        })
        .collect())
}

pub(super) async fn inject_skill(
    hub: &Arc<Extensions>,
    caller: &Caller,
    parameters: &str,
) -> Result<(), Failure> {
    let NameParameters { name } = parse("injectSkillAsContext", parameters)?;
    let session = caller.session(hub, parameters);
    let known = skills_of(hub, session.clone()).await?;
    if !known.iter().any(|skill| skill.name == name) {
        let names: Vec<&str> = known.iter().map(|skill| skill.name.as_str()).collect();
        let there = if names.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        return Err(Failure::new(FailureCode::NotFound, format!("there is no skill {name}; {there}")));
    }
    prompt_later(hub, session, text_only(format!("/{SKILL}{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_name_their_variables_once_and_keep_what_has_no_value() {
        let template =
            json!({ "template": "{{ a }} and {{b}} and {{a}}, {{", "variables": { "a": "1" } }).to_string();
        assert_eq!(parse_template(&template).unwrap().variables, ["a", "b"]);
        assert_eq!(render_template(&template).unwrap(), "1 and {{b}} and 1, {{");
    }

    #[test]
    fn arguments_are_taken_apart_by_their_pattern() {
        let parsed = |input: &str| {
            let pattern =
                json!({ "positional": ["file"], "rest": "why", "flags": { "all": "bool", "n": "value" } });
            parse_arguments(&json!({ "input": input, "pattern": pattern }).to_string()).unwrap()
        };
        let full = parsed("'a b.rs' --all --n=3 because it is");
        assert_eq!(json!(full.values), json!({ "file": "a b.rs", "why": "because it is" }));
        assert_eq!((json!(full.flags), full.error), (json!({ "all": "true", "n": "3" }), None));
        assert_eq!(parsed("").error, Some("file is missing".to_owned()));
        assert_eq!(parsed("x --who").error, Some("--who is not known".to_owned()));
        let simple =
            simple_parse_arguments(&json!({ "input": "a \"b c\" d e", "count": 2 }).to_string()).unwrap();
        assert_eq!(simple, ["a \"b c\" d e", "a", "b c", "d e"]);
    }

    #[test]
    fn conditions_look_at_the_model() {
        let model = "anthropic/claude-sonnet-4-6";
        let holds = |condition: &str| matches_model(model, condition);
        assert!(holds("claude-*") && holds("gpt-*, claude-sonnet-?-?") && holds("anthropic/*"));
        assert!(!holds("gpt-*") && !holds("claude") && !holds(""));
        let text = json!({ "text": "<if-model is=\"gpt-*\">a<else>b</if-model><if-model is=\"claude-*\">c</if-model>!" });
        assert_eq!(model_conditions(model, &text.to_string()).unwrap(), "bc!");
    }
}
