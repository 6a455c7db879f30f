//! One request to a server whose asker may give it up: the server is told so then, and works on it no longer.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ClientRequest, RequestId, ServerResult};
use rmcp::service::{PeerRequestOptions, ServiceError};
use tokio::runtime::Handle;

use super::connect::Connection;
use super::server::Server;

/// A request on its way.
struct Asked {
    server: Arc<Server>,
    connection: Arc<Connection>,
    id: Option<RequestId>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        // At the end of the process there is nobody left to tell it.
        if let Some(id) = self.id.take().filter(|_| Handle::try_current().is_ok()) {
            let connection = Arc::clone(&self.connection);
            self.server.in_background(async move { connection.withdraw(id).await });
        }
    }
}

impl Server {
    /// The answer to a request within a time.
    pub(super) async fn ask(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        request: ClientRequest,
        limit: Duration,
    ) -> Result<ServerResult, ServiceError> {
        let options = PeerRequestOptions::with_timeout(limit);
        let handle = connection.peer.send_request_with_option(request, options).await?;
        let mut asked = Asked {
            server: Arc::clone(self),
            connection: Arc::clone(connection),
            id: Some(handle.id.clone()),
        };
        let answered = tokio::select! {
            answered = handle.await_response() => answered,
            () = connection.ended.cancelled() => Err(ServiceError::TransportClosed),
        };
        asked.id = None;
        answered
    }
}
