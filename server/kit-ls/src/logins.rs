//! `kit.auth.*`: logins from an editor, and what both the editor and the terminal are told about them.
//!
//! A login runs in its own task, one for each provider, and the command answers at once. Pages open in the editor's
//! browser, questions go through the `Editor` port, and progress can be cancelled. Keys are not asked for here: what an
//! editor sends may be recorded, and a key is good for ever, while the code of a login is good once and for us alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kit_lsp::{Weight, Window, Work};
use kit_protocol::{
    AskKind, AskRequest, AuthAnswer, AuthProvider, AuthSource, AuthState, ErrorKind, KitError, QuestionId,
};
use kit_provider::auth::{KeyOrigin, LoginKind, LoginStatus, LoginStep, LoginUi};
use kit_provider::{ModelError, Models};
use kit_session::Sessions;
use kit_workspace::Editor;
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long before its end a token is said to end soon, in seconds.
const SOON: i64 = 300;

/// The logins that the user is about to make in an editor.
#[derive(Default)]
pub(crate) struct Logins {
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    by_provider: BTreeMap<String, CancellationToken>,
    /// They end with the application.
    tasks: JoinSet<()>,
}

/// What a login in an editor needs of the rest.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) models: Arc<Models>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) editor: Arc<dyn Editor>,
    pub(crate) window: Arc<dyn Window>,
}

impl Logins {
    /// How it is: at one provider, or at all that matter.
    pub(crate) fn status(&self, models: &Models, provider: Option<&str>) -> Result<AuthAnswer, KitError> {
        let found = match provider {
            Some(provider) => vec![models.login(provider).map_err(to_kit)?],
            None => models.logins(),
        };
        let running = self.lock();
        let pending = |status: &LoginStatus| running.by_provider.contains_key(&status.provider);
        Ok(AuthAnswer { providers: found.iter().map(|status| described(status, pending(status))).collect() })
    }

    /// Begins a login and answers how it is then.
    pub(crate) fn log_in(
        self: &Arc<Self>,
        with: &Surroundings,
        provider: Option<&str>,
    ) -> Result<AuthAnswer, KitError> {
        let models = &with.models;
        let Some(provider) = provider else {
            let (logins, with) = (Arc::clone(self), with.clone());
            self.lock().tasks.spawn(async move { logins.pick(&with).await });
            return self.status(models, None);
        };
        let status = models.login(provider).map_err(to_kit)?;
        let Some(account) = &status.account else {
            let text = format!(
                "keys are not typed into an editor, where they may be recorded; run `kit-ls auth login {}` in a terminal",
                status.provider
            );
            return Err(KitError::new(ErrorKind::InvalidRequest, text));
        };
        if let Some(refusal) = &account.refusal {
            return Err(KitError::new(ErrorKind::Auth, refusal.clone()));
        }
        self.start(with, &status.provider, &account.name);
        self.status(models, Some(provider))
    }

    /// Forgets a stored login and answers how it is then.
    pub(crate) fn log_out(
        &self,
        with: &Surroundings,
        provider: Option<&str>,
    ) -> Result<AuthAnswer, KitError> {
        let Some(provider) = provider else {
            let text = "name the `provider` whose login is to be forgotten; kit.auth.status lists them";
            return Err(KitError::new(ErrorKind::InvalidRequest, text));
        };
        let status = with.models.login(provider).map_err(to_kit)?;
        if let Some(cancel) = self.lock().by_provider.get(&status.provider) {
            cancel.cancel();
        }
        // A locked file or the system keychain may let this wait.
        let forgotten = tokio::task::block_in_place(|| with.models.log_out(&status.provider));
        if forgotten.map_err(to_kit)? {
            with.sessions.logins_changed();
        }
        self.status(&with.models, Some(provider))
    }

    /// Starts the login at a provider unless it is under way.
    fn start(self: &Arc<Self>, with: &Surroundings, provider: &str, name: &str) {
        let mut running = self.lock();
        while running.tasks.try_join_next().is_some() {}
        if running.by_provider.contains_key(provider) {
            return;
        }
        let work = with.window.begin("Kit login", &format!("logging in with {name}"));
        let cancel = work.cancel();
        running.by_provider.insert(provider.to_owned(), cancel.clone());
        let (logins, with, provider) = (Arc::clone(self), with.clone(), provider.to_owned());
        running.tasks.spawn(async move {
            let (editor, window) = (Arc::clone(&with.editor), Arc::clone(&with.window));
            let ui = EditorUi::new(editor, window, work, cancel.clone());
            let made = with.models.log_in(&provider, &ui, &cancel).await;
            logins.lock().by_provider.remove(&provider);
            match made {
                Ok(status) => {
                    with.sessions.logins_changed();
                    let detail = described(&status, false).detail;
                    with.window.tell(Weight::Info, format!("Kit: {provider}: {detail}"));
                }
                Err(error) if error.kind == ErrorKind::Cancelled => {
                    with.window.tell(Weight::Info, format!("Kit: {error}"));
                }
                Err(error) => with.window.tell(Weight::Error, format!("Kit: {error}")),
            }
        });
    }

    /// Lets the user pick an account, then logs in with it.
    async fn pick(self: Arc<Self>, with: &Surroundings) {
        let found: Vec<LoginStatus> =
            with.models.logins().into_iter().filter(|status| status.account.is_some()).collect();
        let names = found.iter().filter_map(|status| Some(status.account.as_ref()?.name.clone())).collect();
        let mut question = question(AskKind::Select, "Kit: log in with which account?".to_owned());
        question.options = names;
        let answer = with.editor.ask(question, CancellationToken::new()).await;
        let index = answer.index.filter(|_| !answer.cancelled).and_then(|index| usize::try_from(index).ok());
        let Some(status) = index.and_then(|index| found.get(index)) else { return };
        if let Err(error) = self.log_in(with, Some(&status.provider)) {
            with.window.tell(Weight::Error, format!("Kit: {error}"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login as an editor shows it.
pub(crate) struct EditorUi {
    editor: Arc<dyn Editor>,
    window: Arc<dyn Window>,
    work: Box<dyn Work>,
    cancel: CancellationToken,
    /// Withdraws what is asked when the login ends.
    over: CancellationToken,
    asking: Mutex<JoinSet<()>>,
}

impl Drop for EditorUi {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl EditorUi {
    /// Shows the login through these.
    pub(crate) fn new(
        editor: Arc<dyn Editor>,
        window: Arc<dyn Window>,
        work: Box<dyn Work>,
        cancel: CancellationToken,
    ) -> Self {
        Self { editor, window, work, cancel, over: CancellationToken::new(), asking: Mutex::default() }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

/// Opens a page; where the editor cannot, the user reads the address.
async fn open(window: Arc<dyn Window>, url: String) {
    if !window.open(&url).await {
        window.tell(Weight::Info, format!("Kit: open {url} to log in"));
    }
}

impl LoginUi for EditorUi {
    fn show(&self, step: LoginStep) {
        match step {
            LoginStep::Browse { name, url, comes_back: _ } => {
                self.work.report(&format!("log in with {name} in the browser"));
                self.spawn(open(Arc::clone(&self.window), url));
            }
            LoginStep::Enter { name, code, url, filled_url } => {
                self.work.report(&format!("enter {code} at {url}"));
                let text = format!("Kit: to log in with {name}, enter the code **{code}** at <{url}>");
                let mut question = question(AskKind::Overlay, text);
                question.options = vec!["Open the page".to_owned(), "Cancel the login".to_owned()];
                question.copy = Some(code);
                let (editor, window) = (Arc::clone(&self.editor), Arc::clone(&self.window));
                let (cancel, over) = (self.cancel.clone(), self.over.clone());
                self.spawn(async move {
                    match editor.ask(question, over).await.index {
                        Some(0) => open(window, filled_url).await,
                        Some(1) => cancel.cancel(),
                        // A question that was put away leaves the code in the progress.
                        Some(_) | None => {}
                    }
                });
            }
            LoginStep::Retry { why } => self.window.tell(Weight::Error, format!("Kit: {why}")),
            LoginStep::Finishing => {
                self.over.cancel();
                self.work.report("finishing the login");
            }
        }
    }

    fn paste(&self, page: &str) -> BoxFuture<'_, Option<SecretString>> {
        let text = format!(
            "Kit: log in in the browser, at <{page}>\n\nIf it cannot come back to this machine, paste the address that it ends at."
        );
        async move {
            let mut first = question(AskKind::Overlay, text);
            first.options = vec!["Paste the address".to_owned(), "Cancel the login".to_owned()];
            match self.editor.ask(first, self.over.clone()).await.index {
                Some(0) => {}
                Some(1) => {
                    self.cancel.cancel();
                    return None;
                }
                Some(_) | None => return None,
            }
            let mut second =
                question(AskKind::Input, "Kit: the address, or the code that the page shows".to_owned());
            second.masked = true;
            let answer = self.editor.ask(second, self.over.clone()).await;
            let text =
                answer.value.as_ref().and_then(|value| value.as_str()).filter(|_| !answer.cancelled)?;
            Some(SecretString::from(text))
        }
        .boxed()
    }
}

fn question(kind: AskKind, message: String) -> AskRequest {
    AskRequest {
        id: QuestionId::random(),
        kind,
        message,
        options: Vec::new(),
        default: None,
        placeholder: None,
        masked: false,
        copy: None,
    }
}

fn to_kit(error: ModelError) -> KitError {
    KitError::new(error.kind, error.message)
}

/// A login as clients and people are told about it.
pub(crate) fn described(status: &LoginStatus, pending: bool) -> AuthProvider {
    let stored = status.stored.as_ref();
    let refusal = status.account.as_ref().and_then(|account| account.refusal.as_ref());
    let unused = stored.filter(|stored| stored.kind == LoginKind::Account).and(refusal);
    let in_use = stored.filter(|_| status.origin == Some(KeyOrigin::Stored));
    let state = match (pending, &status.origin, unused) {
        (true, ..) => AuthState::Pending,
        (false, Some(_), _) => AuthState::SignedIn,
        (false, None, Some(_)) => AuthState::Refused,
        (false, None, None) if status.required => AuthState::SignedOut,
        (false, None, None) => AuthState::SignedIn,
    };
    let mut detail = detail(status, Timestamp::now());
    if let Some(refusal) = unused {
        detail = format!("{detail}; {refusal}");
    }
    AuthProvider {
        id: status.provider.clone(),
        state,
        source: status.origin.as_ref().map(|origin| match origin {
            KeyOrigin::Setting => AuthSource::Flag,
            KeyOrigin::Stored => AuthSource::Stored,
            KeyOrigin::Environment(_) => AuthSource::Environment,
            KeyOrigin::Account(_) => AuthSource::Machine,
        }),
        account: in_use.and_then(|stored| stored.account.clone()),
        expires: in_use.and_then(|stored| stored.expires).map(|expires| expires.to_string()),
        detail,
        login: status.account.as_ref().map(|account| account.name.clone()),
        takes_key: status.account.as_ref().is_none_or(|account| !account.only_way),
    }
}

fn detail(status: &LoginStatus, now: Timestamp) -> String {
    let LoginStatus { provider, origin, required, variables, stored, account, .. } = status;
    let since = |created: Option<Timestamp>| {
        created.map(|created| format!(" of {}", created.strftime("%Y-%m-%d"))).unwrap_or_default()
    };
    let log_in = format!("run `kit-ls auth login {provider}`");
    match (origin, stored) {
        (Some(KeyOrigin::Setting), _) => "key from the setting provider-api-key".to_owned(),
        (Some(KeyOrigin::Environment(name)), _) => format!("key from {name}"),
        (Some(KeyOrigin::Account(name)), _) => format!("by {name}"),
        (Some(KeyOrigin::Stored), Some(stored)) if stored.kind == LoginKind::Account => {
            let name = account.as_ref().map_or("an account", |account| account.name.as_str());
            let left = stored.expires.map(|expires| expires.duration_since(now).as_secs());
            let token = match left {
                None => "",
                Some(..=0) => ", token expired, renewed with the next request",
                Some(..=SOON) => ", token ends soon, renewed with the next request",
                Some(_) => ", token renewed by itself",
            };
            let account = stored.account.as_ref().map(|id| format!(", account {id}")).unwrap_or_default();
            format!("login with {name}{}{account}{token}", since(stored.created))
        }
        (Some(KeyOrigin::Stored), stored) => {
            format!("stored key{}", since(stored.as_ref().and_then(|stored| stored.created)))
        }
        (None, _) if !required => "no key, and none needed".to_owned(),
        (None, _) if variables.is_empty() => format!("not logged in; {log_in}"),
        (None, _) => {
            let variables = match variables.as_slice() {
                [one] => one.clone(),
                several => format!("one of {}", several.join(", ")),
            };
            format!("no key; set {variables}, or {log_in}")
        }
    }
}

#[cfg(test)]
mod tests {
    use kit_provider::auth::{AccountLogin, StoredLogin};

    use super::*;

    fn status(origin: Option<KeyOrigin>, stored: Option<StoredLogin>) -> LoginStatus {
        LoginStatus {
            provider: "openai".into(),
            name: "OpenAI".into(),
            origin,
            required: true,
            variables: vec!["OPENAI_API_KEY".into()],
            stored,
            account: Some(AccountLogin {
                name: "a ChatGPT subscription".into(),
                only_way: false,
                refusal: Some("refused".into()),
            }),
        }
    }

    fn stored(kind: LoginKind, expires: Option<i64>) -> Option<StoredLogin> {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        Some(StoredLogin {
            in_keychain: false,
            kind,
            account: (kind == LoginKind::Account).then(|| "acc".into()),
            created: Some(at(1_795_255_200)),
            expires: expires.map(at),
        })
    }

    #[test]
    fn a_detail_says_where_the_key_comes_from_or_how_to_get_one() {
        let now = Timestamp::from_second(1_795_255_200).unwrap();
        let account = |left: Option<i64>| {
            let stored = stored(LoginKind::Account, left.map(|left| now.as_second() + left));
            status(Some(KeyOrigin::Stored), stored)
        };
        let environment = KeyOrigin::Environment("OPENAI_API_KEY".into());
        let free = LoginStatus { required: false, ..status(None, None) };
        let keyless = LoginStatus { variables: Vec::new(), ..status(None, None) };
        let cases = [
            (status(Some(KeyOrigin::Setting), None), "key from the setting provider-api-key"),
            (status(Some(KeyOrigin::Stored), stored(LoginKind::Key, None)), "stored key of 2026-11-21"),
            (status(Some(environment), None), "key from OPENAI_API_KEY"),
            (account(None), "login with a ChatGPT subscription of 2026-11-21, account acc"),
            (
                account(Some(3600)),
                "login with a ChatGPT subscription of 2026-11-21, account acc, token renewed by itself",
            ),
            (
                account(Some(300)),
                "login with a ChatGPT subscription of 2026-11-21, account acc, token ends soon, renewed with the next request",
            ),
            (
                account(Some(0)),
                "login with a ChatGPT subscription of 2026-11-21, account acc, token expired, renewed with the next request",
            ),
            (status(None, None), "no key; set OPENAI_API_KEY, or run `kit-ls auth login openai`"),
            (keyless, "not logged in; run `kit-ls auth login openai`"),
            (free, "no key, and none needed"),
        ];
        for (status, expected) in cases {
            assert_eq!(detail(&status, now), expected);
        }
    }

    #[test]
    fn the_state_tells_a_login_that_may_not_be_used_from_none() {
        let state = |status: LoginStatus, pending| described(&status, pending).state;
        assert_eq!(state(status(Some(KeyOrigin::Setting), None), false), AuthState::SignedIn);
        assert_eq!(state(status(None, None), false), AuthState::SignedOut);
        assert_eq!(state(status(None, None), true), AuthState::Pending);
        let refused = described(&status(None, stored(LoginKind::Account, None)), false);
        assert_eq!((refused.state, refused.account), (AuthState::Refused, None));
        assert!(refused.detail.ends_with("; refused"), "{}", refused.detail);
        let key = Some(KeyOrigin::Environment("OPENAI_API_KEY".into()));
        let beside = described(&status(key, stored(LoginKind::Account, None)), false);
        assert_eq!((beside.state, beside.source), (AuthState::SignedIn, Some(AuthSource::Environment)));
        assert!(beside.detail.ends_with("; refused"), "{}", beside.detail);
    }
}
