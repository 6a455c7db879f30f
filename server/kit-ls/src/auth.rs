//! `kit-ls auth login|logout|status`: keys and logins from a terminal or a script.
//!
//! A key is read from stdin, hidden where a person types it, and never from the command line, where other users of the
//! machine could see it. Questions are asked only where stdin is a terminal; a script gets what it asked for or an error.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kit_protocol::AuthState;
use kit_provider::Models;
use kit_provider::auth::{KeyOrigin, LoginStatus, LoginStep, LoginUi};
use kit_workspace::Paths;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::application::Kit;
use crate::arguments::Options;
use crate::logins::described;
use crate::{default_model, runtime, say};

/// What to do with logins.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Auth {
    /// Store a provider's key, or log in there with an account
    Login {
        /// The provider, such as anthropic, openai, copilot or groq
        provider: String,
        /// Read a key from stdin
        #[arg(long, conflicts_with = "account")]
        key: bool,
        /// Log in with an account, such as a subscription
        #[arg(long)]
        account: bool,
        /// Make the provider's usual model the default one in ~/.kit.yml
        #[arg(long)]
        set_default: bool,
        /// Replace a stored login without asking
        #[arg(long, short)]
        yes: bool,
    },
    /// Forget what is stored for a provider
    Logout {
        /// The provider
        provider: String,
        /// Do it without asking
        #[arg(long, short)]
        yes: bool,
    },
    /// Say where keys and logins come from, and which of them counts
    Status {
        /// One provider; otherwise all that matter
        provider: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does it and returns the exit code.
pub(crate) fn run(auth: &Auth, options: Options, paths: Paths) -> anyhow::Result<i32> {
    let folder = std::env::current_dir().context("the current folder is gone")?;
    let settings_folder = paths.home.clone();
    let models = Kit::new(paths, options).models_for(Some(&folder))?;
    match auth {
        Auth::Login { provider, key, account, set_default, yes } => {
            let provider = provider.to_lowercase();
            let status = find(&models, &provider)?;
            if status.stored.is_some()
                && !*yes
                && !confirmed(&format!("{} has a stored login; replace it?", status.name))?
            {
                return say("Nothing was changed.").map(|()| 1);
            }
            let made = match way(&status, *key, *account)? {
                Way::Key => {
                    let key = read_key(&status)?;
                    models.store_key(&provider, &key)?
                }
                Way::Account => with_account(&models, &provider)?,
            };
            let in_keychain = made.stored.as_ref().is_some_and(|stored| stored.in_keychain);
            let place = match models.logins_path() {
                _ if in_keychain => Some(" in the system keychain".to_owned()),
                path => path.map(|path| format!(" in {}", path.display())),
            };
            say(&format!(
                "{}: {} (stored{})",
                made.provider,
                described(&made, false).detail,
                place.unwrap_or_default()
            ))?;
            if made.origin == Some(KeyOrigin::Setting) {
                say("It is not used as long as the setting provider-api-key is there.")?;
            }
            if *set_default {
                make_default(&models, &provider, &settings_folder)?;
            }
            Ok(0)
        }
        Auth::Logout { provider, yes } => {
            let provider = provider.to_lowercase();
            let status = find(&models, &provider)?;
            if status.stored.is_some()
                && !*yes
                && !confirmed(&format!("Forget the login at {}?", status.name))?
            {
                return say("Nothing was changed.").map(|()| 1);
            }
            if !models.log_out(&provider)? {
                return say(&format!("There was no stored login at {}.", status.provider)).map(|()| 0);
            }
            say(&format!("The login at {} is forgotten here.", status.provider))?;
            if status.stored.is_some_and(|stored| stored.kind == kit_provider::auth::LoginKind::Account) {
                say("The provider still knows it; take it back in the settings of your account there.")?;
            }
            Ok(0)
        }
        Auth::Status { provider, json } => tell(&models, provider.as_deref(), *json),
    }
}

fn find(models: &Models, provider: &str) -> anyhow::Result<LoginStatus> {
    Ok(models.login(provider)?)
}

fn tell(models: &Models, provider: Option<&str>, json: bool) -> anyhow::Result<i32> {
    let found = match provider {
        Some(provider) => vec![find(models, &provider.to_lowercase())?],
        None => models.logins(),
    };
    let told: Vec<_> = found.iter().map(|status| described(status, false)).collect();
    if json {
        say(&serde_json::to_string_pretty(&serde_json::json!({ "providers": told }))?)?;
    } else {
        for login in &told {
            let mark = match login.state {
                AuthState::SignedIn => "✓",
                AuthState::Refused => "!",
                AuthState::SignedOut | AuthState::Pending => "✗",
            };
            say(&format!("{mark} {:<16} {}", login.id, login.detail))?;
        }
        if let Some(path) = models.logins_path() {
            say(&format!("Logins are stored in {}.", path.display()))?;
        }
    }
    let is_missing = provider.is_some() && told.iter().any(|login| login.state != AuthState::SignedIn);
    Ok(i32::from(is_missing))
}

/// How to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Key,
    Account,
}

/// The way that the options name, the only one that there is, or the one that the user picks.
fn way(status: &LoginStatus, key: bool, account: bool) -> anyhow::Result<Way> {
    let Some(offered) = &status.account else {
        if account {
            bail!("{} takes keys and no logins; leave --account out", status.name);
        }
        return Ok(Way::Key);
    };
    match (key, account) {
        (true, _) if offered.only_way => {
            bail!("{} takes no keys; leave --key out", status.name)
        }
        (true, _) => return Ok(Way::Key),
        (_, true) => return Ok(Way::Account),
        (false, false) if offered.only_way => return Ok(Way::Account),
        (false, false) => {}
    }
    if !is_interactive() {
        return Ok(Way::Key);
    }
    let question = format!("Log in at {} with\n  1  a key\n  2  {}\n> ", status.name, offered.name);
    match ask(&question)?.as_deref() {
        Some("1") => Ok(Way::Key),
        Some("2") => Ok(Way::Account),
        Some(_) | None => bail!("nothing was chosen; run it again, or pass --key or --account"),
    }
}

fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Asks for a line; `None` at the end of the input.
fn ask(question: &str) -> anyhow::Result<Option<String>> {
    let mut stdout = std::io::stdout();
    write!(stdout, "{question}").and_then(|()| stdout.flush()).context("stdout is closed")?;
    let mut line = String::new();
    let length = std::io::stdin().lock().read_line(&mut line).context("stdin cannot be read")?;
    Ok((length > 0).then(|| line.trim().to_owned()))
}

/// Whether the user says yes; a script does by running the command.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !is_interactive() {
        return Ok(true);
    }
    let answer = ask(&format!("{question} [y/N] "))?;
    Ok(answer.is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes")))
}

fn read_key(provider: &LoginStatus) -> anyhow::Result<SecretString> {
    if is_interactive() {
        let key = rpassword::prompt_password(format!("Key for {} (not shown): ", provider.name));
        return Ok(key.context("the terminal cannot be read")?.into());
    }
    let mut key = String::new();
    std::io::stdin().read_to_string(&mut key).context("stdin cannot be read")?;
    if key.trim().is_empty() {
        bail!("no key came on stdin; for example: kit-ls auth login {} < key.txt", provider.provider);
    }
    Ok(key.into())
}

fn with_account(models: &Models, provider: &str) -> anyhow::Result<LoginStatus> {
    runtime::with(async {
        let cancel = CancellationToken::new();
        let login = models.log_in(provider, &TerminalUi, &cancel);
        tokio::pin!(login);
        let made = tokio::select! {
            made = &mut login => made,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("the signal for an end cannot be waited for")?;
                cancel.cancel();
                login.await
            }
        };
        Ok(made?)
    })
}

/// A login as a terminal shows it.
pub(crate) struct TerminalUi;

impl LoginUi for TerminalUi {
    fn show(&self, step: LoginStep) {
        let text = match step {
            LoginStep::Browse { name, url, comes_back } => {
                let then = if comes_back {
                    "If the browser cannot come back to this machine, paste here the address that it ends at."
                } else {
                    "Then paste here the address that the browser ends at, or the code that the page shows."
                };
                format!("To log in with {name}, open\n\n  {url}\n\n{then}")
            }
            LoginStep::Enter { name, code, url, filled_url } => {
                let filled =
                    if filled_url == url { String::new() } else { format!("\n\nor open {filled_url}") };
                format!(
                    "To log in with {name}, open\n\n  {url}\n\nand enter the code\n\n  {code}{filled}\n\nWaiting …"
                )
            }
            LoginStep::Retry { why } => format!("{why}."),
            LoginStep::Finishing => "Finishing the login …".to_owned(),
        };
        // What was asked for goes on although nobody reads it.
        if let Err(error) = say(&text) {
            tracing::debug!(%error, "a step of the login was not shown");
        }
    }

    fn paste(&self, _page: &str) -> BoxFuture<'_, Option<SecretString>> {
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            loop {
                match std::io::stdin().lock().read_line(&mut line) {
                    Ok(0) | Err(_) => return None,
                    Ok(_) if line.trim().is_empty() => line.clear(),
                    Ok(_) => return Some(SecretString::from(line)),
                }
            }
        });
        async move { read.await.ok().flatten() }.boxed()
    }
}

/// Makes the usual model of a provider the default one.
fn make_default(models: &Models, provider: &str, folder: &Path) -> anyhow::Result<()> {
    let Some(model) = models.usual_model(provider) else {
        bail!("{provider} has no usual model; set `model` in {} yourself", folder.join(".kit.yml").display());
    };
    let file = default_model::set(folder, &model)?;
    say(&format!("{model} is the default model now, by {}.", file.display()))
}
