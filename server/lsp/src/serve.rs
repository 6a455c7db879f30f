//! Serves one client until the protocol ends, the client goes away or the transport fails.
//!
//! The end comes from `exit`, from the end of the input, from the death of the client's process or from the transport.
//! Whichever is first: running turns are cancelled and flushed within [`FLUSH`], and the caller ends the process, because
//! tokio's stdin thread would keep it alive.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tower_lsp::LspService;

use crate::backend::Backend;
use crate::guard::WireOrder;
use crate::record::Recorder;
use crate::shared::{Application, Shared};
use crate::transport::{Ended, Wire, transport};
use crate::{parent, synchronize};

/// How long running turns may take to end.
const FLUSH: Duration = Duration::from_millis(1500);

/// Serving could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The recording cannot be created.
    #[error("the recording {path} cannot be created: {source}")]
    Recording {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Serves one client; `recording` gets both directions as JSON lines.
pub async fn serve<I, O>(
    input: I,
    output: O,
    application: Arc<dyn Application>,
    recording: Option<&Path>,
) -> Result<Ended, ServeError>
where
    I: AsyncRead + Unpin + Send + 'static,
    O: AsyncWrite + Unpin + Send + 'static,
{
    let recorder = match recording {
        Some(path) => Some(Arc::new(
            Recorder::create(path)
                .map_err(|source| ServeError::Recording { path: path.display().to_string(), source })?,
        )),
        None => None,
    };
    let shared = Arc::new(Shared::new(application));
    let (service, socket) = {
        let shared = Arc::clone(&shared);
        LspService::build(move |client| Backend::new(client, shared))
            .custom_method("workspace/textDocumentContent", Backend::content)
            .custom_method("window/workDoneProgress/cancel", Backend::cancel_progress)
            .finish()
    };
    let wire_order: WireOrder = {
        let shared = Arc::clone(&shared);
        Arc::new(move |method, params| synchronize::apply(&shared, method, params))
    };
    let ended =
        transport(Wire { input, output, recorder }, service, socket, wire_order, parent::gone(&shared)).await;
    if let Some(running) = shared.running.get()
        && tokio::time::timeout(FLUSH, running.shut_down()).await.is_err()
    {
        tracing::error!("running turns did not end in time");
    }
    Ok(ended)
}
