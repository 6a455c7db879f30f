//! Extensions as the language server has them: their ports filled, and the receiver of their commands.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_extension::{ExtensionSettings, Extensions, Fetch, FetchError, FetchRequest, FetchResponse};
use kit_lsp::ExtensionDesk;
use kit_protocol::{
    Check, ExtensionArguments, ExtensionGrantArguments, ExtensionListAnswer, ExtensionShortcutAnswer,
    ExtensionShortcutArguments, KitError, Settings,
};
use kit_provider::Fetcher;

/// What the settings say about extensions.
pub(crate) fn settings(settings: &Settings) -> ExtensionSettings {
    ExtensionSettings {
        named: settings.extension.iter().flatten().map(PathBuf::from).collect(),
        options: settings.options.clone().unwrap_or_default(),
        disabled: settings.no_extensions.unwrap_or(false),
    }
}

/// The line of the doctor.
pub(crate) fn check(extensions: &Extensions) -> Check {
    let (ok, detail) = extensions.summary();
    let fix = (!ok).then(|| "mend the named files; extensions load again when they are saved".to_owned());
    Check { name: "extensions".to_owned(), ok, detail, fix }
}

/// The receiver of the commands about extensions.
pub(crate) struct Desk(pub(crate) Arc<Extensions>);

impl ExtensionDesk for Desk {
    fn list(&self, arguments: ExtensionArguments) -> ExtensionListAnswer {
        self.0.list(&arguments)
    }

    fn reload(&self, arguments: ExtensionArguments) -> BoxFuture<'_, Result<ExtensionListAnswer, KitError>> {
        self.0.reload(arguments).boxed()
    }

    fn grant(&self, arguments: ExtensionGrantArguments) -> Result<ExtensionListAnswer, KitError> {
        self.0.decide(arguments)
    }

    fn shortcut(
        &self,
        arguments: ExtensionShortcutArguments,
    ) -> BoxFuture<'_, Result<ExtensionShortcutAnswer, KitError>> {
        self.0.press(arguments).boxed()
    }

    fn granted(&self) -> BoxFuture<'_, ()> {
        self.0.granted().boxed()
    }

    fn settle(&self) -> BoxFuture<'_, ()> {
        self.0.settle().boxed()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.0.shutdown().boxed()
    }
}

/// Requests of extensions. The client is made at the first.
#[derive(Default)]
pub(crate) struct Requests {
    fetcher: std::sync::OnceLock<Result<Fetcher, kit_provider::FetchError>>,
}

impl Fetch for Requests {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<FetchResponse, FetchError>> {
        let fetcher = self.fetcher.get_or_init(Fetcher::new).clone();
        async move {
            let FetchRequest { url, method, headers, body, timeout, largest, allowed } = request;
            let request =
                kit_provider::FetchRequest { url, method, headers, body, timeout, largest, allowed };
            let answered = match fetcher {
                Ok(fetcher) => fetcher.fetch(request).await,
                Err(error) => Err(error),
            };
            match answered {
                Ok(kit_provider::FetchResponse { status, headers, body, url }) => {
                    Ok(FetchResponse { status, headers, body, url })
                }
                Err(kit_provider::FetchError::Denied(host)) => Err(FetchError::Denied(host)),
                Err(kit_provider::FetchError::Invalid(why)) => Err(FetchError::Invalid(why)),
                Err(kit_provider::FetchError::TimedOut(limit)) => Err(FetchError::TimedOut(limit)),
                Err(kit_provider::FetchError::Failed(why)) => Err(FetchError::Failed(why)),
            }
        }
        .boxed()
    }
}
