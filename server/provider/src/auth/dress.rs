//! What requests with the login of an account are like, beside the token: headers, the wire, and what the provider wants
//! or does not take in the body. Nothing here sends a borrowed name by itself; it comes with the service.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::oauth::copilot_base_url;
use super::request::headers;
use super::service::{Flow, Service};
use super::tokens::Access;
use crate::token::Token;
use crate::wire::Wire;

/// How requests differ from those with a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dress {
    headers: HeaderMap,
    /// The system text that must come first.
    system: Option<&'static str>,
    backend: Backend,
    /// Whether a plan pays for the calls.
    pub(crate) is_subscription: bool,
}

/// Who answers requests with the login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The same as those with a key.
    #[default]
    Usual,
    /// ChatGPT's, which speaks a narrower form of one wire.
    Codex,
}

impl Dress {
    /// The headers beside the token, and what tells the requests of one conversation together. A header that is there
    /// already and is a list gets longer, others are replaced.
    pub(crate) fn apply(&self, conversation: Option<&str>, sent: &mut HeaderMap) {
        for (name, value) in &self.headers {
            let joined = sent.get(name).filter(|_| name.as_str() == "anthropic-beta").and_then(|first| {
                let (first, more) = (first.to_str().ok()?, value.to_str().ok()?);
                HeaderValue::from_str(&format!("{first},{more}")).ok()
            });
            sent.insert(name.clone(), joined.unwrap_or_else(|| value.clone()));
        }
        let conversation = conversation.and_then(|id| HeaderValue::from_str(id).ok());
        match (self.backend, conversation) {
            (Backend::Codex, Some(id)) => {
                sent.insert(HeaderName::from_static("session-id"), id);
            }
            (Backend::Codex, None) | (Backend::Usual, _) => {}
        }
    }

    /// The wire of the backend, where a model of the provider would speak another one.
    pub(crate) fn wire(&self) -> Option<Wire> {
        match self.backend {
            Backend::Usual => None,
            Backend::Codex => Some(Wire::Responses),
        }
    }

    /// Changes the body into what the backend takes.
    pub(crate) fn adapt(&self, body: &mut Value) {
        let Some(body) = body.as_object_mut() else { return };
        if let Some(first) = self.system {
            let block = json!({"type": "text", "text": first});
            match body.get_mut("system") {
                Some(Value::Array(blocks)) => blocks.insert(0, block),
                Some(_) | None => {
                    body.insert("system".into(), json!([block]));
                }
            }
        }
        match self.backend {
            Backend::Usual => {}
            Backend::Codex => {
                body.shift_remove("max_output_tokens");
                body.entry("instructions").or_insert_with(|| "Help with the task.".into());
            }
        }
    }
}

impl Token {
    /// A token of a service, dressed as its requests are.
    pub(super) fn of(service: &Service, access: &Access) -> Self {
        let mut own = service.borrowed.map(|borrowed| headers(borrowed.headers)).unwrap_or_default();
        if let Some(account) = &access.account {
            own.extend(headers(&[("chatgpt-account-id", account)]));
        }
        let exchanged = matches!(service.flow, Flow::Device { exchange_url: Some(_), .. });
        let named = || copilot_base_url(access.token.expose_secret()).filter(|_| exchanged);
        Self {
            base_url: service.base_url.as_ref().map(|url| url.clone().into_owned()).or_else(named),
            dress: Dress {
                headers: own,
                system: service.borrowed.and_then(|borrowed| borrowed.system),
                backend: service.backend,
                is_subscription: service.is_subscription,
            },
            ..Self::new(access.token.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ProviderSettings;

    fn token(provider: &str, secret: &str, account: Option<&str>) -> Token {
        let service = Service::of(provider, &ProviderSettings::default()).unwrap();
        Token::of(&service, &Access { token: secret.into(), account: account.map(str::to_owned) })
    }

    fn sent(token: &Token, before: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let mut sent = headers(before);
        token.dress.apply(Some("s-1"), &mut sent);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let mut sent: Vec<_> = sent.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        sent.sort();
        sent
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_claude_subscription_begins_with_its_prescribed_text() {
        let token = token("anthropic", "sk-ant-oat", None);
        let mut body = json!({"system": [{"type": "text", "text": "Be brief."}], "max_tokens": 5});
        token.dress.adapt(&mut body);
        let first = "You are Claude Code, Anthropic's official CLI for Claude.";
        let expected = json!({"system": [{"type": "text", "text": first}, {"type": "text", "text": "Be brief."}],
            "max_tokens": 5});
        assert_eq!(body, expected);
        let mut without = json!({});
        token.dress.adapt(&mut without);
        assert_eq!(without, json!({"system": [{"type": "text", "text": first}]}));
        let expected = [
            ("anthropic-beta", "mine,oauth-2025-04-20,claude-code-20250219"),
            ("user-agent", "claude-cli/2.1.75 (external, cli)"),
            ("x-app", "cli"),
        ];
        assert_eq!(sent(&token, &[("anthropic-beta", "mine")]), pairs(&expected));
        assert_eq!((token.base_url, token.dress.wire(), token.dress.is_subscription), (None, None, true));
    }

    #[test]
    fn chatgpt_gets_the_account_and_no_limit() {
        let token = token("openai", "jwt", Some("acc-1"));
        let mut body = json!({"model": "gpt-5.4", "max_output_tokens": 9});
        token.dress.adapt(&mut body);
        assert_eq!(body, json!({"model": "gpt-5.4", "instructions": "Help with the task."}));
        let expected = [
            ("chatgpt-account-id", "acc-1"),
            ("openai-beta", "responses=experimental"),
            ("originator", "kit-ls"),
            ("session-id", "s-1"),
        ];
        assert_eq!(sent(&token, &[]), pairs(&expected));
        assert_eq!(token.base_url.as_deref(), Some("https://chatgpt.com/backend-api/codex"));
        assert_eq!(token.dress.wire(), Some(Wire::Responses));
    }

    #[test]
    fn copilot_goes_where_its_token_says() {
        let own = |secret: &str| token("copilot", secret, None).base_url;
        let business = "https://api.business.githubcopilot.com";
        assert_eq!(own("tid=1;proxy-ep=proxy.business.githubcopilot.com").as_deref(), Some(business));
        assert_eq!(own("tid=1"), None);
    }
}
