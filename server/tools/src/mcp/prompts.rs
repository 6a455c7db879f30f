//! Prompts of servers as commands: `mcp:SERVER:PROMPT`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{ErrorKind, KitError, McpState};
use rmcp::model::{ClientRequest, GetPromptRequest, GetPromptRequestParams, ServerResult};
use serde_json::Value;

use super::content::{self, McpContent};
use super::hub::McpServers;
use super::offers::{Offers, PromptOffer};
use super::server::Server;
use crate::caps;

/// How long a command waits for its server.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a prompt may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of the names of all prompts in a sentence.
const LONGEST_LIST: usize = 500;
/// How the commands begin.
const SCHEME: &str = "mcp:";

/// A prompt of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpPrompt {
    /// The command.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Its arguments in order, and whether each is needed.
    pub arguments: Vec<(String, bool)>,
    /// The server.
    pub server: String,
}

/// The command of a prompt.
pub(super) fn command(server: &str, prompt: &PromptOffer) -> String {
    format!("{SCHEME}{}:{}", content::word(server), content::word(&prompt.own_name))
}

impl McpServers {
    /// The prompts of all servers that are there. Starts those that nothing needed yet.
    pub fn prompts(&self) -> Vec<McpPrompt> {
        self.wake();
        let mut found = Vec::new();
        for server in self.servers() {
            let offers = Arc::clone(&server.status.borrow().offers);
            found.extend(offers.prompts.iter().map(|prompt| {
                McpPrompt {
                    name: command(&server.name, prompt),
                    description: prompt.description.clone(),
                    arguments: prompt
                        .arguments
                        .iter()
                        .map(|argument| (argument.name.clone(), argument.required))
                        .collect(),
                    server: server.name.clone(),
                }
            }));
        }
        found
    }

    /// Whether a server has this command, as far as that is known at once, and what is wrong with its arguments; `None`
    /// when no server can have it. One that is not connected right now may have it. Starts servers that nothing needed
    /// yet.
    pub fn check_prompt(&self, name: &str, words: &[String], line: &str) -> Option<Result<(), KitError>> {
        self.wake();
        let server = self.server_of(name)?;
        let status = server.status.borrow().clone();
        let refused = |kind, why| Some(Err(KitError::new(kind, why)));
        match status.state {
            McpState::Ready => match offered(&server.name, &status.offers, name) {
                Some(prompt) => Some(given(prompt, name, words, line).map(drop)),
                None => Some(Err(unknown(&server.name, &status.offers, name))),
            },
            McpState::NeedsLogin => refused(ErrorKind::Auth, server.login_sentence()),
            McpState::Disabled => {
                let text = format!(
                    "the settings switch the MCP server {} off; remove `disabled` there",
                    server.name
                );
                refused(ErrorKind::Unavailable, text)
            }
            McpState::Idle | McpState::Starting | McpState::Reconnecting | McpState::Failed => Some(Ok(())),
        }
    }

    /// What a prompt says. `words` are its arguments in order or as `name=value`; `line` is the same as typed.
    pub async fn prompt(&self, name: &str, words: &[String], line: &str) -> Result<McpContent, KitError> {
        let Some(server) = self.server_of(name) else {
            return Err(KitError::new(ErrorKind::NotFound, format!("no MCP server has a prompt {name}")));
        };
        let unavailable = |text: String| KitError::new(ErrorKind::Unavailable, text);
        let connection = server.connection(PATIENCE).await.map_err(unavailable)?;
        let offers = Arc::clone(&server.status.borrow().offers);
        let prompt =
            offered(&server.name, &offers, name).ok_or_else(|| unknown(&server.name, &offers, name))?;
        let given = given(prompt, name, words, line)?;
        let given: serde_json::Map<_, _> =
            given.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let params = GetPromptRequestParams::new(prompt.own_name.clone()).with_arguments(given);
        let request = ClientRequest::GetPromptRequest(GetPromptRequest::new(params));
        match server.ask(&connection, request, LIMIT).await {
            // Images are many bytes to look at.
            Ok(ServerResult::GetPromptResult(result)) => {
                let read = tokio::task::spawn_blocking(move || content::prompt(&result)).await;
                read.map_err(|error| unavailable(error.to_string()))
            }
            Ok(_) => Err(unavailable(format!("the MCP server {} answered with no prompt", server.name))),
            Err(error) => Err(unavailable(format!(
                "the MCP server {} did not give the prompt: {}",
                server.name,
                caps::line(&error.to_string(), 500)
            ))),
        }
    }

    /// The server that a command names.
    fn server_of(&self, name: &str) -> Option<Arc<Server>> {
        let (server, _) = name.strip_prefix(SCHEME)?.split_once(':')?;
        self.servers().into_iter().find(|known| content::word(&known.name) == server)
    }
}

/// The prompt of a server behind a command.
fn offered<'a>(server: &str, offers: &'a Offers, name: &str) -> Option<&'a PromptOffer> {
    offers.prompts.iter().find(|prompt| command(server, prompt) == name)
}

fn unknown(server: &str, offers: &Offers, name: &str) -> KitError {
    let known: Vec<String> = offers.prompts.iter().map(|prompt| command(server, prompt)).collect();
    let known = match known.as_slice() {
        [] => "; it has none".to_owned(),
        known => format!("; it has {}", caps::line(&known.join(", "), LONGEST_LIST)),
    };
    KitError::new(ErrorKind::NotFound, format!("the MCP server {server} has no prompt {name}{known}"))
}

fn given(
    prompt: &PromptOffer,
    name: &str,
    words: &[String],
    line: &str,
) -> Result<BTreeMap<String, String>, KitError> {
    arguments(prompt, words, line)
        .map_err(|why| KitError::new(ErrorKind::InvalidRequest, format!("{name} {why}")))
}

/// The arguments by name; the error says what is missing.
fn arguments(prompt: &PromptOffer, words: &[String], line: &str) -> Result<BTreeMap<String, String>, String> {
    let mut given = BTreeMap::new();
    let named = |word: &String| {
        let (name, value) = word.split_once('=')?;
        prompt
            .arguments
            .iter()
            .any(|argument| argument.name == name)
            .then(|| (name.to_owned(), value.to_owned()))
    };
    let by_name: Vec<Option<(String, String)>> = words.iter().map(named).collect();
    if by_name.iter().any(Option::is_some) {
        for (word, named) in words.iter().zip(by_name) {
            let Some((name, value)) = named else {
                return Err(format!("has no argument for `{word}`; write all of them as name=value"));
            };
            given.insert(name, value);
        }
    } else if let [only] = prompt.arguments.as_slice() {
        let line = line.trim();
        if !line.is_empty() {
            // A single word loses its quotes, a sentence needs none.
            let value = if let [word] = words { word.clone() } else { line.to_owned() };
            given.insert(only.name.clone(), value);
        }
    } else {
        if words.len() > prompt.arguments.len() {
            return Err(format!(
                "takes {} arguments and got {}; quote those with blanks",
                prompt.arguments.len(),
                words.len()
            ));
        }
        for (argument, word) in prompt.arguments.iter().zip(words) {
            given.insert(argument.name.clone(), word.clone());
        }
    }
    let missing =
        prompt.arguments.iter().find(|argument| argument.required && !given.contains_key(&argument.name));
    match missing {
        Some(missing) => Err(format!("needs the argument `{}`", missing.name)),
        None => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::offers::PromptArgument;

    fn check(known: &[(&str, bool)], line: &str) -> Result<Vec<(String, String)>, String> {
        let known = known
            .iter()
            .map(|(name, required)| PromptArgument { name: (*name).to_owned(), required: *required });
        let prompt =
            PromptOffer { own_name: "p".into(), description: String::new(), arguments: known.collect() };
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        arguments(&prompt, &words, line).map(|given| given.into_iter().collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        Ok(expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn arguments_are_taken_in_order_by_name_or_as_the_rest() {
        let two = &[("city", true), ("state", false)];
        assert_eq!(check(two, "Ulm"), pairs(&[("city", "Ulm")]));
        assert_eq!(check(two, "Ulm BW"), pairs(&[("city", "Ulm"), ("state", "BW")]));
        assert_eq!(check(two, "state=BW city=Ulm"), pairs(&[("city", "Ulm"), ("state", "BW")]));
        assert_eq!(check(&[("text", true)], "all of it"), pairs(&[("text", "all of it")]));
        assert_eq!(check(&[], ""), pairs(&[]));
        assert_eq!(check(two, "state=BW"), Err("needs the argument `city`".into()));
        assert!(check(two, "a b c").unwrap_err().contains("takes 2 arguments and got 3"));
        assert!(check(two, "city=Ulm c").unwrap_err().contains("`c`"));
    }
}
