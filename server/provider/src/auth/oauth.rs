//! The token endpoint: codes and refresh tokens in, access tokens out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::error::AuthError;
use super::expiry;
use super::request::{Endpoints, Reply, headers};
use super::service::Flow;
use super::store::Credential;

/// The largest part of a token that is looked into for claims.
const LARGEST_CLAIMS: usize = 64 * 1024;

/// What an access token is asked for with.
pub(super) enum Grant<'a> {
    /// The code of a login.
    Code { code: &'a SecretString, state: &'a SecretString, verifier: &'a SecretString, redirect: &'a str },
    /// The refresh token of the last answer.
    Refresh { token: &'a SecretString },
}

impl Endpoints<'_> {
    /// Asks for an access token.
    pub(super) async fn token(&self, grant: Grant<'_>, now: Timestamp) -> Result<Credential, AuthError> {
        let client = self.service.client_id.as_ref();
        let (fields, last) = match &grant {
            Grant::Code { code, state, verifier, redirect } => {
                let mut fields = vec![
                    ("grant_type", "authorization_code"),
                    ("client_id", client),
                    ("code", code.expose_secret()),
                    ("redirect_uri", redirect),
                    ("code_verifier", verifier.expose_secret()),
                ];
                // Anthropic wants the state back; the standard knows no such field, and OpenAI none.
                if self.service.encoding == super::service::Encoding::Json {
                    fields.push(("state", state.expose_secret()));
                }
                (fields, None)
            }
            Grant::Refresh { token } => {
                let fields = vec![
                    ("grant_type", "refresh_token"),
                    ("client_id", client),
                    ("refresh_token", token.expose_secret()),
                ];
                (fields, Some(*token))
            }
        };
        let reply = self.post(&self.service.token_url, self.service.encoding, &fields).await?;
        self.credential(&reply, last, now)
    }

    /// The tokens of an answer.
    pub(super) fn credential(
        &self,
        reply: &Reply,
        last_refresh: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<Credential, AuthError> {
        let Some(access) = reply.text("access_token") else { return Err(self.refusal(reply)) };
        let refresh = reply.text("refresh_token").map(SecretString::from);
        let lasts = reply.field("expires_in").and_then(expiry::seconds);
        let ends = lasts.filter(|lasts| !lasts.is_zero()).and_then(|lasts| now.checked_add(lasts).ok());
        let moment = || reply.field("expires_at").and_then(expiry::moment);
        let account = self.service.account_claim.map(|claim| {
            let found =
                ["id_token", "access_token"].iter().find_map(|field| claimed(reply.text(field)?, claim));
            found.ok_or_else(|| self.answer("its token names no account"))
        });
        Ok(Credential::Tokens {
            access: SecretString::from(access),
            refresh: refresh.or_else(|| last_refresh.cloned()).unwrap_or_default(),
            expires: ends.or_else(|| Some(expiry::by_our_clock(moment()?, reply.date, now))),
            // An answer to a refresh may leave the account out; the stored one stays then.
            account: match (account, last_refresh) {
                (Some(Err(_)), Some(_)) | (None, _) => None,
                (Some(account), _) => Some(account?),
            },
            created: Some(now),
        })
    }

    fn refusal(&self, reply: &Reply) -> AuthError {
        match reply.error() {
            Some("invalid_grant" | "refresh_token_reused" | "refresh_token_expired") => {
                AuthError::Ended { provider: self.provider(), reason: reply.reason() }
            }
            Some("access_denied") => AuthError::Denied { provider: self.provider() },
            Some(_) | None if reply.is_transient() => self.unreachable(reply.reason()),
            Some(_) | None if reply.status == 401 => {
                AuthError::Ended { provider: self.provider(), reason: reply.reason() }
            }
            Some(_) | None => self.answer(reply.reason()),
        }
    }

    /// Exchanges the token of an account at GitHub for one that requests to Copilot carry.
    pub(super) async fn exchange(
        &self,
        account: &SecretString,
        now: Timestamp,
    ) -> Result<Credential, AuthError> {
        let Flow::Device { exchange_url: Some(address), .. } = &self.service.flow else {
            return Err(self.answer("there is nothing to exchange its token at"));
        };
        let bearer = format!("token {}", account.expose_secret());
        let borrowed = self.service.borrowed.map_or(&[][..], |borrowed| borrowed.headers);
        let mut sent: HeaderMap = headers(borrowed);
        sent.extend(headers(&[("authorization", &bearer), ("x-github-api-version", "2022-11-28")]));
        let reply = self.get(address, sent).await?;
        let Some(token) = reply.text("token").filter(|_| reply.status == 200) else {
            return Err(match reply.status {
                401 => AuthError::Ended { provider: self.provider(), reason: reply.reason() },
                // GitHub answers so to an account without a plan for it.
                403 | 404 => self.answer(format!("{}; check that the account has a plan", reply.reason())),
                _ if reply.is_transient() => self.unreachable(reply.reason()),
                _ => self.answer(reply.reason()),
            });
        };
        let told = reply.field("expires_at").and_then(expiry::moment);
        let told = told.map(|ends| expiry::by_our_clock(ends, reply.date, now));
        Ok(Credential::Tokens {
            access: SecretString::from(token),
            refresh: account.clone(),
            expires: told.or_else(|| now.checked_add(expiry::UNTOLD).ok()),
            account: None,
            created: Some(now),
        })
    }
}

/// A claim of a JSON web token. Its signature is not checked: it came from the provider itself, over TLS.
fn claimed(token: &str, [space, name]: [&str; 2]) -> Option<String> {
    let claims = token.split('.').nth(1).filter(|claims| claims.len() <= LARGEST_CLAIMS)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let claim = claims.get(space)?.get(name)?.as_str()?;
    (!claim.is_empty()).then(|| claim.to_owned())
}

/// Where requests with a Copilot token go: the token of a company's plan names another host than that of a person's.
pub(crate) fn copilot_base_url(token: &str) -> Option<String> {
    let proxy = token.split(';').find_map(|field| field.strip_prefix("proxy-ep="))?;
    let host = proxy.strip_prefix("proxy.").map(|rest| format!("api.{rest}"))?;
    let plausible = host.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-'));
    (plausible && host.ends_with(".githubcopilot.com")).then(|| format!("https://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_from_the_middle_of_a_token() {
        let token = |claims: &str| format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        let of = |token: &str| claimed(token, ["https://api.openai.com/auth", "chatgpt_account_id"]);
        let good = token(r#"{"https://api.openai.com/auth": {"chatgpt_account_id": "acc-1"}}"#);
        assert_eq!(of(&good).as_deref(), Some("acc-1"));
        for bad in [token("{}"), token("no"), "one".to_owned(), "a.!!.c".to_owned(), String::new()] {
            assert_eq!(of(&bad), None, "{bad}");
        }
    }

    #[test]
    fn the_host_of_a_copilot_token_is_one_of_github() {
        let of = |token: &str| copilot_base_url(token);
        assert_eq!(
            of("tid=1;exp=2;proxy-ep=proxy.business.githubcopilot.com;st=x").as_deref(),
            Some("https://api.business.githubcopilot.com")
        );
        for foreign in ["tid=1", "proxy-ep=proxy.evil.example", "proxy-ep=proxy.x/y.githubcopilot.com", ""] {
            assert_eq!(of(foreign), None, "{foreign}");
        }
    }
}
