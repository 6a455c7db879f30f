//! What requests to GitHub Copilot carry beside their token.
//!
//! It answers only to editors that it knows, so requests name its own extension for VS Code, which is off until the user
//! allows it in the settings. Who began a request decides how it is counted: what the user asked counts, what follows
//! from it does not.

use kit_protocol::{ErrorKind, Part, Role};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::ModelError;
use crate::model::Request;

/// The provider's id in settings and catalogue.
pub(crate) const ID: &str = "github-copilot";

/// The product that requests name.
pub(crate) const IDENTITY: [(&str, &str); 6] = [
    ("copilot-integration-id", "vscode-chat"),
    ("editor-version", "vscode/1.104.1"),
    ("editor-plugin-version", "copilot-chat/0.31.0"),
    ("user-agent", "GitHubCopilotChat/0.31.0"),
    ("x-github-api-version", "2026-01-09"),
    ("openai-intent", "conversation-agent"),
];

/// The path of the list of models.
pub(crate) const LIST: &str = "/models";

/// The headers that name the product, or why there can be none.
pub(crate) fn identity(is_allowed: bool) -> Result<HeaderMap, ModelError> {
    if !is_allowed {
        let message = format!(
            "GitHub Copilot answers to its own extensions only; the setting `borrowed-identity: [{ID}]` sends requests under the name of its extension for VS Code, which the terms of GitHub may forbid"
        );
        return Err(ModelError::new(ErrorKind::Auth, message));
    }
    Ok(map(IDENTITY))
}

/// The headers of a request for an answer, or why there can be none.
pub(crate) fn headers(request: &Request, is_allowed: bool) -> Result<HeaderMap, ModelError> {
    let mut headers = identity(is_allowed)?;
    let last = request.messages.last();
    let says = last.is_some_and(|message| {
        message.role == Role::User && !message.parts.iter().any(|part| matches!(part, Part::ToolResult(_)))
    });
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    let sees = parts.any(|part| matches!(part, Part::Image(_)));
    let own = [("x-initiator", if says { "user" } else { "agent" })];
    let vision = sees.then_some(("copilot-vision-request", "true"));
    headers.extend(map(own.into_iter().chain(vision)));
    Ok(headers)
}

fn map(pairs: impl IntoIterator<Item = (&'static str, &'static str)>) -> HeaderMap {
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    pairs.into_iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use kit_protocol::Message;

    use super::*;
    use crate::wire::fixtures::{assistant, call, image, request, results, user};

    fn sent(messages: Vec<Message>) -> [Option<String>; 2] {
        let headers = headers(&request(messages), true).unwrap();
        assert_eq!(headers.get("copilot-integration-id").unwrap(), "vscode-chat");
        ["x-initiator", "copilot-vision-request"]
            .map(|name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()))
    }

    #[test]
    fn requests_say_who_began_them_and_whether_they_show_something() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(sent(vec![user("go")]), [some("user"), None]);
        let shown = Message { role: Role::User, parts: vec![image()] };
        let worked = vec![shown, assistant(vec![call("a", "read", "{}")]), results(&[("a", "x", false)])];
        assert_eq!(sent(worked), [some("agent"), some("true")]);
    }

    #[test]
    fn nothing_names_another_product_unasked() {
        let error = headers(&request(vec![user("go")]), false).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth);
        assert!(error.message.contains("borrowed-identity: [github-copilot]"), "{error}");
    }
}
