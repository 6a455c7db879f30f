//! What proves that the code of a login came back to the one who asked for it: the verifier of PKCE (RFC 7636, S256) and a
//! state of its own, both from the system's random numbers; and the forms in which a code comes back.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::AuthError;
use super::service::Service;

/// The secrets of one login. The state is no secret towards the provider, but nobody else may know it.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    pub(super) verifier: SecretString,
    pub(super) state: SecretString,
}

/// What the browser or the user brought back.
#[derive(Clone, Debug)]
pub(super) enum Returned {
    /// A code, with its state and who gave it, where that came along.
    Code { code: SecretString, state: Option<String>, issuer: Option<String> },
    /// The provider's refusal, as one word.
    Refusal { error: String, state: Option<String> },
}

impl Returned {
    /// Whether it belongs to a login; what was pasted without a state does.
    pub(super) fn is_of(&self, proof: &Proof) -> bool {
        let (Self::Code { state, .. } | Self::Refusal { state, .. }) = self;
        state.as_deref().is_none_or(|state| proof.is_own(state))
    }
}

impl Proof {
    /// A fresh one.
    pub(super) fn random(service: &Service) -> Result<Self, AuthError> {
        let random = || {
            let mut bytes = [0_u8; 32];
            rand::fill(&mut bytes).map_err(|_| AuthError::Answer {
                provider: service.provider.clone().into_owned(),
                reason: "this system has no random numbers".to_owned(),
            })?;
            Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
        };
        Ok(Self { verifier: random()?, state: random()? })
    }

    /// What the provider gets to know of the verifier at first.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.expose_secret().as_bytes()))
    }

    /// The page where the user logs in.
    pub(super) fn authorize_url(
        &self,
        service: &Service,
        page: &str,
        parameters: &[(&str, &str)],
        redirect: &str,
    ) -> Result<Url, AuthError> {
        let mut url = page.parse::<Url>().map_err(|error| AuthError::Answer {
            provider: service.provider.clone().into_owned(),
            reason: format!("its address is wrong: {error}"),
        })?;
        url.query_pairs_mut()
            .extend_pairs(parameters)
            .append_pair("response_type", "code")
            .append_pair("client_id", &service.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", &service.scopes)
            .append_pair("code_challenge", &self.challenge())
            .append_pair("code_challenge_method", "S256")
            .append_pair("state", self.state.expose_secret());
        Ok(url)
    }

    /// Whether a state is the one of this login. Takes the same time for every wrong one.
    pub(super) fn is_own(&self, state: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(
            self.state.expose_secret().as_bytes(),
            state.as_bytes(),
        )
        .is_ok()
    }
}

/// Reads what the user pasted: the whole address, `code#state`, the query of an address, or the code alone.
/// Line breaks of a terminal are no part of it.
pub(super) fn read_pasted(text: &str) -> Option<Returned> {
    let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let text = text.trim_matches(['"', '\'', '<', '>']);
    if text.is_empty() {
        return None;
    }
    if let Ok(url) = text.parse::<Url>()
        && matches!(url.scheme(), "http" | "https")
    {
        return read_query(url.query()?);
    }
    if text.contains('=') {
        return read_query(text.trim_start_matches('?'));
    }
    let (code, state) = match text.split_once('#') {
        Some((code, state)) => (code, Some(state.to_owned()).filter(|state| !state.is_empty())),
        None => (text, None),
    };
    let plausible = !code.is_empty() && code.chars().all(|letter| letter.is_ascii_graphic());
    plausible.then(|| Returned::Code { code: SecretString::from(code), state, issuer: None })
}

/// Reads the query of the address that the browser came back to.
pub(super) fn read_query(query: &str) -> Option<Returned> {
    let mut url = Url::parse("http://localhost").ok()?;
    url.set_query(Some(query));
    let value = |wanted: &str| {
        let found = url.query_pairs().find(|(name, value)| name == wanted && !value.is_empty());
        found.map(|(_, value)| value.into_owned())
    };
    let state = value("state");
    match (value("code"), value("error")) {
        (Some(code), _) => {
            // Some pages show both in one, although the address has them apart.
            let (code, of_code) = match code.split_once('#') {
                Some((code, state)) => (code.to_owned(), Some(state.to_owned())),
                None => (code, None),
            };
            let issuer = value("iss");
            Some(Returned::Code { code: SecretString::from(code), state: state.or(of_code), issuer })
        }
        (None, Some(error)) => Some(Returned::Refusal { error, state }),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ProviderSettings;

    fn service() -> Service {
        Service::of("anthropic", &ProviderSettings::default()).unwrap()
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let proof =
            Proof { verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(), state: "s".into() };
        assert_eq!(proof.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn state_and_verifier_are_random_and_not_the_same() {
        let [one, other] = [(); 2].map(|()| Proof::random(&service()).unwrap());
        let mut texts: Vec<String> = [&one.verifier, &one.state, &other.verifier, &other.state]
            .map(|secret| secret.expose_secret().to_owned())
            .into();
        assert!(texts.iter().all(|text| text.len() == 43), "{texts:?}");
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 4);
        assert!(one.is_own(one.state.expose_secret()) && !one.is_own(other.state.expose_secret()));
        assert!(!format!("{one:?}").contains(one.verifier.expose_secret()));
    }

    #[test]
    fn the_address_carries_the_challenge_and_not_the_verifier() {
        let proof = Proof { verifier: "verifier-planted".into(), state: "state-1".into() };
        let url = proof
            .authorize_url(
                &service(),
                "http://a/authorize?prompt=consent",
                &[("code", "true")],
                "http://l/cb",
            )
            .unwrap();
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let expected = [
            ("prompt", "consent"),
            ("code", "true"),
            ("response_type", "code"),
            ("client_id", "9d1c250a-e61b-44d9-88ed-5944d1962f5e"),
            ("redirect_uri", "http://l/cb"),
            ("scope", "org:create_api_key user:profile user:inference"),
            ("code_challenge", &proof.challenge()),
            ("code_challenge_method", "S256"),
            ("state", "state-1"),
        ];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_code_is_found_in_every_form_in_which_it_is_pasted() {
        let check = |text: &str, expected: Option<(&str, Option<&str>)>| {
            let found = read_pasted(text).map(|returned| match returned {
                Returned::Code { code, state, .. } => (code.expose_secret().to_owned(), state),
                Returned::Refusal { error, state } => (format!("refused: {error}"), state),
            });
            let expected = expected.map(|(code, state)| (code.to_owned(), state.map(str::to_owned)));
            assert_eq!(found, expected, "{text}");
        };
        check("http://localhost:1455/auth/callback?code=a%2Fb&state=s", Some(("a/b", Some("s"))));
        check(" \"https://x/cb?state=s&code=c\" \n", Some(("c", Some("s"))));
        check("c#s", Some(("c", Some("s"))));
        check("co\nde#st\n ate", Some(("code", Some("state"))));
        check("code=c&state=s", Some(("c", Some("s"))));
        check("?code=c&state=s", Some(("c", Some("s"))));
        check("code=c#s", Some(("c", Some("s"))));
        check("bare-code_1.~", Some(("bare-code_1.~", None)));
        check("c#", Some(("c", None)));
        check("http://localhost/cb?error=access_denied&state=s", Some(("refused: access_denied", Some("s"))));
        check("http://localhost/cb", None);
        check("http://localhost/cb?state=s", None);
        check("state=s", None);
        check("#s", None);
        check("  ", None);
    }
}
