//! Prompts of servers as commands: `mcp:SERVER:PROMPT`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{ErrorKind, KitError};
use rmcp::model::{ClientRequest, GetPromptRequest, GetPromptRequestParams, ServerResult};
use rmcp::service::PeerRequestOptions;
use serde_json::Value;

use super::content;
use super::hub::McpServers;
use super::offers::PromptOffer;
use super::server::Server;
use crate::caps;

/// How long a command waits for its server.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a prompt may take.
const LIMIT: Duration = Duration::from_secs(60);

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
    format!("mcp:{}:{}", content::word(server), content::word(&prompt.own_name))
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

    /// The text of a prompt. `words` are its arguments in order or as `name=value`; `line` is the same as typed.
    pub async fn prompt(&self, name: &str, words: &[String], line: &str) -> Result<String, KitError> {
        let of = |server: &Arc<Server>| {
            let offers = Arc::clone(&server.status.borrow().offers);
            offers.prompts.iter().find(|prompt| command(&server.name, prompt) == name).cloned()
        };
        let found = self.servers().into_iter().find_map(|server| Some((of(&server)?, server)));
        let Some((prompt, server)) = found else {
            return Err(KitError::new(ErrorKind::NotFound, format!("no MCP server has a prompt {name}")));
        };
        let given = arguments(&prompt, words, line)
            .map_err(|why| KitError::new(ErrorKind::InvalidRequest, format!("{name} {why}")))?;
        let unavailable = |text: String| KitError::new(ErrorKind::Unavailable, text);
        let connection = server.connection(PATIENCE).await.map_err(unavailable)?;
        let mut params = GetPromptRequestParams::new(prompt.own_name.clone());
        params = params.with_arguments(
            given
                .into_iter()
                .map(|(name, value)| (name, Value::from(value)))
                .collect::<serde_json::Map<_, _>>(),
        );
        let request = ClientRequest::GetPromptRequest(GetPromptRequest::new(params));
        let sent = connection.peer.send_request_with_option(request, PeerRequestOptions::with_timeout(LIMIT));
        let answered = match sent.await {
            Ok(handle) => handle.await_response().await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(ServerResult::GetPromptResult(result)) => Ok(content::prompt(&result)),
            Ok(_) => Err(unavailable(format!("the MCP server {} answered with no prompt", server.name))),
            Err(error) => Err(unavailable(format!(
                "the MCP server {} did not give the prompt: {}",
                server.name,
                caps::line(&error.to_string(), 500)
            ))),
        }
    }
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
