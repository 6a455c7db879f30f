//! The providers that take logins of accounts beside keys, as data: where one logs in, what is asked for, and what such a
//! login takes for granted about the program that uses it.
//!
//! These logins were made for the vendors' own programs. What would tell a provider that we are one of them (a client id,
//! headers, a prescribed system text) stands here alone, and nothing of it is used before the user lets the setting
//! `borrowed-identity` name the provider. A client id of one's own, set under `providers.<id>.login`, needs no such leave
//! and brings none of these names along.

use std::borrow::Cow;

use kit_protocol::LoginSettings;

use super::dress::Backend;
use super::error::AuthError;
use crate::copilot;
use crate::providers;
use crate::settings::ProviderSettings;

/// How an account logs in at a provider.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// The provider's one id.
    pub(crate) provider: Cow<'static, str>,
    /// What people call the account.
    pub(crate) name: Cow<'static, str>,
    pub(crate) flow: Flow,
    pub(crate) client_id: Cow<'static, str>,
    pub(crate) scopes: Cow<'static, str>,
    pub(crate) token_url: Cow<'static, str>,
    /// How the token endpoint takes its requests.
    pub(crate) encoding: Encoding,
    /// Where the account's id stands in a token, if requests have to name it.
    pub(crate) account_claim: Option<[&'static str; 2]>,
    /// Where requests with such a login go, when that is not where those with a key go.
    pub(crate) base_url: Option<Cow<'static, str>>,
    pub(crate) backend: Backend,
    /// Whether a plan pays for what such a login asks.
    pub(crate) is_subscription: bool,
    /// Whose name the login and its requests bear; `None` when it is the user's own client.
    pub(crate) borrowed: Option<Borrowed>,
}

/// The way to the first token.
#[derive(Clone, Debug)]
pub(crate) enum Flow {
    /// The browser comes back with a code.
    Browser {
        authorize_url: Cow<'static, str>,
        /// What the provider wants beside the standard's parameters.
        parameters: &'static [(&'static str, &'static str)],
        redirect: Redirect,
    },
    /// The user types a code on a page of the provider, here or on another device.
    Device {
        device_url: Cow<'static, str>,
        /// Where the account's token is exchanged for the one of requests, if that is another one.
        exchange_url: Option<Cow<'static, str>>,
    },
}

/// Where the browser comes back to.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    /// The port on this machine; 0 for any.
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    /// A page of the provider that shows the code, for when nothing can listen on this machine.
    pub(crate) page: Option<&'static str>,
}

/// The body of requests to a token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Form,
    Json,
}

/// What a login and its requests carry of another product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Borrowed {
    /// The product.
    pub(crate) product: &'static str,
    /// What happens and what may follow, as one sentence.
    pub(crate) risk: &'static str,
    /// Headers that name it.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// The system text that must come first.
    pub(crate) system: Option<&'static str>,
}

const BROWSER_PATH: &str = "/callback";

const ANTHROPIC: Service = Service {
    provider: Cow::Borrowed("anthropic"),
    name: Cow::Borrowed("a Claude subscription"),
    flow: Flow::Browser {
        authorize_url: Cow::Borrowed("https://claude.ai/oauth/authorize"),
        parameters: &[("code", "true")],
        redirect: Redirect {
            port: 0,
            path: BROWSER_PATH,
            page: Some("https://console.anthropic.com/oauth/code/callback"),
        },
    },
    client_id: Cow::Borrowed("9d1c250a-e61b-44d9-88ed-5944d1962f5e"),
    scopes: Cow::Borrowed("org:create_api_key user:profile user:inference"),
    token_url: Cow::Borrowed("https://console.anthropic.com/v1/oauth/token"),
    encoding: Encoding::Json,
    account_claim: None,
    base_url: None,
    backend: Backend::Usual,
    is_subscription: true,
    borrowed: Some(Borrowed {
        product: "Claude Code",
        risk: "it logs in and sends every request as Claude Code, which Anthropic may refuse or answer by closing the account",
        headers: &[
            ("anthropic-beta", "oauth-2025-04-20,claude-code-20250219"),
            ("user-agent", "claude-cli/2.1.75 (external, cli)"),
            ("x-app", "cli"),
        ],
        system: Some("You are Claude Code, Anthropic's official CLI for Claude."),
    }),
};

const OPENAI: Service = Service {
    provider: Cow::Borrowed("openai"),
    name: Cow::Borrowed("a ChatGPT subscription"),
    flow: Flow::Browser {
        authorize_url: Cow::Borrowed("https://auth.openai.com/oauth/authorize"),
        parameters: &[
            ("id_token_add_organizations", "true"),
            ("codex_cli_simplified_flow", "true"),
            ("originator", ORIGINATOR),
        ],
        redirect: Redirect { port: 1455, path: "/auth/callback", page: None },
    },
    client_id: Cow::Borrowed("app_EMoamEEZ73f0CkXaXp7hrann"),
    scopes: Cow::Borrowed("openid profile email offline_access"),
    token_url: Cow::Borrowed("https://auth.openai.com/oauth/token"),
    encoding: Encoding::Form,
    account_claim: Some(["https://api.openai.com/auth", "chatgpt_account_id"]),
    base_url: Some(Cow::Borrowed("https://chatgpt.com/backend-api/codex")),
    backend: Backend::Codex,
    is_subscription: true,
    borrowed: Some(Borrowed {
        product: "Codex",
        risk: "it logs in with the client id of Codex, which OpenAI may refuse or answer by closing the account",
        headers: &[("openai-beta", "responses=experimental"), ("originator", ORIGINATOR)],
        system: None,
    }),
};

const COPILOT: Service = Service {
    provider: Cow::Borrowed(copilot::ID),
    name: Cow::Borrowed("GitHub Copilot"),
    flow: Flow::Device {
        device_url: Cow::Borrowed("https://github.com/login/device/code"),
        exchange_url: Some(Cow::Borrowed("https://api.github.com/copilot_internal/v2/token")),
    },
    client_id: Cow::Borrowed("Iv1.b507a08c87ecfe98"),
    scopes: Cow::Borrowed("read:user"),
    token_url: Cow::Borrowed("https://github.com/login/oauth/access_token"),
    encoding: Encoding::Form,
    account_claim: None,
    base_url: None,
    backend: Backend::Usual,
    is_subscription: true,
    borrowed: Some(Borrowed {
        product: "GitHub Copilot in VS Code",
        risk: "it logs in and sends every request as GitHub Copilot in VS Code, which GitHub may refuse or answer by closing the account",
        headers: &copilot::IDENTITY,
        system: None,
    }),
};

/// The name under which we speak for ourselves where a provider asks for one.
const ORIGINATOR: &str = "kit-ls";

impl Service {
    /// How an account logs in at the provider, as the settings have it; `None` where only keys are taken.
    pub(crate) fn of(provider: &str, settings: &ProviderSettings) -> Option<Self> {
        let id = providers::canonical(provider);
        let known = [ANTHROPIC, OPENAI, COPILOT].into_iter().find(|service| service.provider == id);
        let named = settings.providers.iter().find(|(name, _)| providers::canonical(name) == id);
        let changed = named.and_then(|(_, changed)| changed.login.as_ref());
        match (known, changed) {
            (Some(known), Some(changed)) => Some(known.changed(changed)),
            (Some(known), None) => Some(known),
            (None, Some(changed)) => Self::new(id, changed),
            (None, None) => None,
        }
    }

    /// A service that only the settings know. Without a client id and a token endpoint there is none.
    fn new(provider: &str, settings: &LoginSettings) -> Option<Self> {
        let (_, token_url) = (settings.client_id.as_ref()?, settings.token_url.clone()?);
        let flow = match (&settings.device_url, &settings.authorize_url) {
            (Some(device_url), _) => {
                Flow::Device { device_url: Cow::Owned(device_url.clone()), exchange_url: None }
            }
            (None, Some(authorize_url)) => Flow::Browser {
                authorize_url: Cow::Owned(authorize_url.clone()),
                parameters: &[],
                redirect: Redirect { port: 0, path: BROWSER_PATH, page: None },
            },
            (None, None) => return None,
        };
        let service = Self {
            provider: Cow::Owned(provider.to_owned()),
            name: Cow::Owned(format!("an account at {provider}")),
            flow,
            client_id: Cow::Borrowed(""),
            scopes: Cow::Borrowed(""),
            token_url: Cow::Owned(token_url),
            encoding: Encoding::Form,
            account_claim: None,
            base_url: None,
            backend: Backend::Usual,
            is_subscription: false,
            borrowed: None,
        };
        Some(service.changed(settings))
    }

    fn changed(mut self, settings: &LoginSettings) -> Self {
        let change = |value: &mut Cow<'static, str>, setting: &Option<String>| {
            if let Some(setting) = setting {
                *value = Cow::Owned(setting.clone());
            }
        };
        if settings.client_id.is_some() {
            self.borrowed = None;
        }
        change(&mut self.client_id, &settings.client_id);
        change(&mut self.scopes, &settings.scopes);
        change(&mut self.token_url, &settings.token_url);
        if let Some(base_url) = &settings.base_url {
            self.base_url = Some(Cow::Owned(base_url.clone()));
        }
        match &mut self.flow {
            Flow::Browser { authorize_url, redirect, .. } => {
                change(authorize_url, &settings.authorize_url);
                redirect.port = settings.redirect_port.unwrap_or(redirect.port);
            }
            Flow::Device { device_url, exchange_url } => {
                change(device_url, &settings.device_url);
                if let Some(changed) = &settings.exchange_url {
                    *exchange_url = Some(Cow::Owned(changed.clone()));
                }
            }
        }
        self
    }

    /// Refuses what would bear another product's name without the user's leave.
    pub(crate) fn permitted(&self, settings: &ProviderSettings) -> Result<(), AuthError> {
        let leave = |id: &String| providers::canonical(id) == self.provider;
        match self.borrowed {
            Some(borrowed) if !settings.borrowed_identity.iter().any(leave) => Err(AuthError::NotPermitted {
                service: self.name.clone().into_owned(),
                provider: self.provider.clone().into_owned(),
                risk: borrowed.risk,
            }),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use kit_protocol::ProviderOverride;

    use super::*;

    fn settings(provider: &str, login: LoginSettings) -> ProviderSettings {
        let changed = ProviderOverride { login: Some(login), ..ProviderOverride::default() };
        ProviderSettings { providers: [(provider.to_owned(), changed)].into(), ..ProviderSettings::default() }
    }

    #[test]
    fn another_products_name_needs_the_users_leave() {
        let mut settings = ProviderSettings::default();
        let check = |provider: &str, settings: &ProviderSettings| {
            let service = Service::of(provider, settings).unwrap();
            service.permitted(settings).map_err(|error| error.to_string())
        };
        let refused = check("anthropic", &settings).unwrap_err();
        assert_eq!(
            refused,
            "a login with a Claude subscription is refused: it logs in and sends every request as Claude Code, which \
             Anthropic may refuse or answer by closing the account; to accept that, add anthropic to the setting \
             borrowed-identity"
        );
        settings.borrowed_identity = vec!["anthropic".into(), "copilot".into()];
        assert_eq!(check("anthropic", &settings), Ok(()));
        assert_eq!(check("github-copilot", &settings), Ok(()));
        assert_eq!(check("copilot", &settings), Ok(()));
        assert!(check("openai", &settings).is_err());
    }

    #[test]
    fn a_client_of_ones_own_bears_nobody_elses_name() {
        let login = LoginSettings { client_id: Some("mine".into()), ..LoginSettings::default() };
        let settings = settings("anthropic", login);
        let service = Service::of("anthropic", &settings).unwrap();
        service.permitted(&settings).unwrap();
        assert_eq!((service.client_id.as_ref(), service.borrowed), ("mine", None));
    }

    #[test]
    fn another_address_alone_is_no_client_of_ones_own() {
        let login = LoginSettings { token_url: Some("http://t".into()), ..LoginSettings::default() };
        let settings = settings("copilot", login);
        let service = Service::of("github-copilot", &settings).unwrap();
        assert_eq!(service.token_url, "http://t");
        assert!(service.permitted(&settings).is_err());
    }

    #[test]
    fn the_settings_can_describe_a_login_that_nobody_knows() {
        let login = LoginSettings {
            client_id: Some("mine".into()),
            token_url: Some("http://t".into()),
            device_url: Some("http://d".into()),
            ..LoginSettings::default()
        };
        let service = Service::of("gateway", &settings("gateway", login.clone())).unwrap();
        assert!(matches!(service.flow, Flow::Device { exchange_url: None, .. }));
        let without = LoginSettings { client_id: None, ..login };
        assert!(Service::of("gateway", &settings("gateway", without)).is_none());
        assert!(Service::of("groq", &ProviderSettings::default()).is_none());
    }
}
