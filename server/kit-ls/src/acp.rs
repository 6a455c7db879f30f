//! `kit-ls acp`: the same wiring as behind a language server, once for each folder that the client opens.
//!
//! Folders share nothing but the files that all processes of the user share, so the settings, rules and trust of one hold
//! in no other.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kit_acp::{Application, Opening, Workplace};
use kit_lsp::{Application as _, NoWindow, Running, Startup};
use kit_protocol::{ErrorKind, KitError, Trust};
use kit_session::Sessions;
use kit_workspace::{Paths, Workspace};
use tokio_util::task::AbortOnDropHandle;

use crate::application::Kit;
use crate::arguments::Options;
use crate::{logging, runtime};

/// Serves one client and returns the exit code.
pub(crate) fn run(options: Options, paths: Paths) -> anyhow::Result<i32> {
    let log = logging::start(&paths.logs, runtime::environment("KIT_LOG").as_deref());
    let served = runtime::with(async {
        let program = Arc::new(Program { paths, options });
        kit_acp::serve(tokio::io::stdin(), tokio::io::stdout(), program).await?;
        Ok(0)
    });
    drop(log);
    served
}

struct Program {
    paths: Paths,
    options: Options,
}

impl Program {
    fn kit(&self) -> Kit {
        Kit::new(self.paths.clone(), self.options.clone())
    }
}

impl Application for Program {
    fn open(&self, opening: Opening) -> Result<Arc<dyn Workplace>, KitError> {
        let Opening { roots, options, client, editor, sink } = opening;
        let kit = Arc::new(self.kit());
        let window = Arc::new(NoWindow);
        let running = kit.start(Startup { roots, options, client, editor, window, sink })?;
        let watch = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&kit).watch_settings(running.clone())));
        Ok(Arc::new(Place { kit, running, _watch: watch }))
    }

    fn signed_in(&self) -> BoxFuture<'_, Result<(), KitError>> {
        async {
            let folder = std::env::current_dir().ok();
            let models = self.kit().models_for(folder.as_deref());
            let models = models.map_err(|error| KitError::new(error.kind, error.message))?;
            let model = models.default_model().await;
            match models.is_signed_in(&model) {
                true => Ok(()),
                false => {
                    let sentence = format!(
                        "there is no login for {model}: run `kit-ls auth login {}` in a terminal, or set the provider's key",
                        model.provider()
                    );
                    Err(KitError::new(ErrorKind::Auth, sentence))
                }
            }
        }
        .boxed()
    }
}

/// A folder with everything behind it.
struct Place {
    kit: Arc<Kit>,
    running: Running,
    /// Takes over changes of the settings.
    _watch: AbortOnDropHandle<()>,
}

impl Workplace for Place {
    fn sessions(&self) -> &Arc<Sessions> {
        &self.running.sessions
    }

    fn workspace(&self) -> &Arc<Workspace> {
        &self.running.workspace
    }

    fn problems(&self) -> Vec<String> {
        self.kit.problems()
    }

    fn trust(&self, trust: Trust) -> Result<Trust, KitError> {
        kit_lsp::Application::trust(self.kit.as_ref(), &self.running, trust)
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.running.shut_down().boxed()
    }
}
