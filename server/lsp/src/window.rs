//! What the application shows outside of turns: a page in the browser, a sentence, the progress of its own work.
//!
//! Nothing here waits for a handler: a request to the editor runs in its own task, because tower-lsp 0.20 panics when the
//! answer to a dropped request arrives late.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tower_lsp::Client;
use tower_lsp::lsp_types as lsp;
use tower_lsp::lsp_types::request::ShowDocument;

use crate::progress::Task;
use crate::shared::Shared;

/// The editor's window, as far as it is not about documents and questions.
pub trait Window: Send + Sync {
    /// Opens a page in the user's browser and tells whether that was done.
    fn open(&self, url: &str) -> BoxFuture<'_, bool>;

    /// Shows a sentence; returns at once.
    fn tell(&self, weight: Weight, sentence: String);

    /// Begins to show work that goes on beside turns. Dropping it shows the end.
    fn begin(&self, title: &str, message: &str) -> Box<dyn Work>;
}

/// How much a sentence matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something went as the user wanted.
    Info,
    /// Something did not.
    Error,
}

/// Work that is shown.
pub trait Work: Send + Sync {
    /// What it is about now; returns at once.
    fn report(&self, message: &str);

    /// Cancelled when the user cancels it.
    fn cancel(&self) -> CancellationToken;
}

/// No window, for runs without an editor: nothing is opened, shown or cancelled.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWindow;

struct Unseen(CancellationToken);

impl Work for Unseen {
    fn report(&self, _message: &str) {}

    fn cancel(&self) -> CancellationToken {
        self.0.clone()
    }
}

impl Window for NoWindow {
    fn open(&self, _url: &str) -> BoxFuture<'_, bool> {
        std::future::ready(false).boxed()
    }

    fn tell(&self, weight: Weight, sentence: String) {
        tracing::info!(?weight, sentence, "nobody sees it");
    }

    fn begin(&self, _title: &str, _message: &str) -> Box<dyn Work> {
        Box::new(Unseen(CancellationToken::new()))
    }
}

/// The window at the other end.
pub(crate) struct RemoteWindow {
    client: Client,
    shared: Arc<Shared>,
}

impl RemoteWindow {
    /// Reaches the editor through `client`.
    pub(crate) fn new(client: Client, shared: Arc<Shared>) -> Self {
        Self { client, shared }
    }
}

impl Window for RemoteWindow {
    fn open(&self, url: &str) -> BoxFuture<'_, bool> {
        let can = self.shared.profile.get().is_some_and(|profile| profile.show_document);
        let uri = url.parse::<lsp::Url>();
        async move {
            let (true, Ok(uri)) = (can, uri) else { return false };
            let (sender, receiver) = oneshot::channel();
            let client = self.client.clone();
            tokio::spawn(async move {
                let params = lsp::ShowDocumentParams {
                    uri,
                    external: Some(true),
                    take_focus: Some(true),
                    selection: None,
                };
                let shown = client.send_request::<ShowDocument>(params).await;
                // Nobody listens any more when the caller gave up.
                let _unheard = sender.send(shown.is_ok_and(|shown| shown.success));
            });
            receiver.await.unwrap_or(false)
        }
        .boxed()
    }

    fn tell(&self, weight: Weight, sentence: String) {
        let client = self.client.clone();
        let kind = match weight {
            Weight::Info => lsp::MessageType::INFO,
            Weight::Error => lsp::MessageType::ERROR,
        };
        tokio::spawn(async move { client.show_message(kind, sentence).await });
    }

    fn begin(&self, title: &str, message: &str) -> Box<dyn Work> {
        let shown = self.shared.profile.get().is_some_and(|profile| profile.progress);
        let client = shown.then(|| self.client.clone());
        Box::new(Task::begin(&self.shared.progress, client, title, message))
    }
}
