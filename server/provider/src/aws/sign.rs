//! Signature version 4 of Amazon Web Services, as a pure function of request, account and time.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;

use super::Account;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The place that a signature is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// The headers that sign a POST of the body to the URL. Only what no proxy changes is signed.
pub(crate) fn sign(account: &Account, scope: Scope<'_>, url: &Url, body: &[u8], now: Timestamp) -> HeaderMap {
    let Scope { region, service } = scope;
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = time.split('T').next().unwrap_or_default();
    let token = account.session_token.as_ref().map(|token| token.expose_secret().to_owned());
    let mut signed = vec![("host", host(url)), ("x-amz-date", time.clone())];
    signed.extend(token.clone().map(|token| ("x-amz-security-token", token)));
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let path = encoded(url.path(), Slash::Kept);
    let request = format!("POST\n{path}\n{}\n{lines}\n{names}\n{}", query(url), hash(body));
    let place = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("{ALGORITHM}\n{time}\n{place}\n{}", hash(request.as_bytes()));
    let secret = format!("AWS4{}", account.secret_key.expose_secret());
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| keyed_hash(&key, part.as_bytes()));
    let signature = hex(&keyed_hash(&key, text.as_bytes()));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{place}, SignedHeaders={names}, Signature={signature}",
        account.access_key
    );
    let mut headers = HeaderMap::new();
    let values = [
        (AUTHORIZATION.as_str(), Some(authorization)),
        ("x-amz-date", Some(time)),
        ("x-amz-security-token", token),
    ];
    for (name, value) in values {
        // A key that no header can carry is refused by the provider with its own words.
        if let Some(Ok(mut value)) = value.map(|value| HeaderValue::from_str(value.trim())) {
            value.set_sensitive(name != "x-amz-date");
            headers.insert(name, value);
        }
    }
    headers
}

fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

fn query(url: &Url) -> String {
    let mut pairs: Vec<String> = url
        .query_pairs()
        .map(|(name, value)| {
            format!("{}={}", encoded(&name, Slash::Encoded), encoded(&value, Slash::Encoded))
        })
        .collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// What becomes of the separators of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slash {
    Kept,
    Encoded,
}

/// Everything percent-encoded but the few characters that never need it. A path that is encoded already gets it twice.
pub(crate) fn encoded(text: &str, slash: Slash) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if plain || (byte == b'/' && slash == Slash::Kept) {
            encoded.push(char::from(byte));
        } else {
            let _never = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn keyed_hash(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _never = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a request is signed with, as botocore 1.x signs it.
    fn check(url: &str, body: &str, token: Option<&str>, signature: &str) {
        let account = Account {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: token.map(Into::into),
            expires: None,
        };
        let scope = Scope { region: "us-east-1", service: "bedrock" };
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        let headers = sign(&account, scope, &url.parse().unwrap(), body.as_bytes(), now);
        let names = if token.is_some() { "host;x-amz-date;x-amz-security-token" } else { "host;x-amz-date" };
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, SignedHeaders={names}, Signature={signature}"
        );
        assert_eq!(headers.get("authorization").unwrap(), expected.as_str());
        assert_eq!(headers.get("x-amz-date").unwrap(), "20150830T123600Z");
        let sent = headers.get("x-amz-security-token").map(|value| value.to_str().unwrap());
        assert_eq!(sent, token);
    }

    #[test]
    fn requests_are_signed_as_by_the_library_of_amazon() {
        check(
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream",
            r#"{"messages":[]}"#,
            None,
            "83fb9ad9c6249de61b04849b55383fb5e0d38acf6cbc363c2d77887750193257",
        );
        check(
            "http://127.0.0.1:4010/model/a%2Fb/converse-stream?b=2&a=1%20x",
            "{}",
            Some("to/ken=="),
            "cb8810b9b712a6c9bdca385784c0a9440e637982a09d552c03ecf19b2bd08804",
        );
    }
}
