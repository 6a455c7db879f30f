//! Resources that somebody wants to hear of when they change.
//!
//! A server is subscribed to each of them once, however many watch it, anew with every connection, and no longer when the
//! last one stops; one of revision 2026-07-28 is listened to instead. What it says is believed as far as that the resource
//! is worth reading again. Servers that tell nothing of resources are watched in vain.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rmcp::model::{ClientRequest, SubscribeRequestParams, UnsubscribeRequestParams};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::connect::{Connection, Telling};
use super::hub::McpServers;
use super::listen::listen;
use super::server::Server;

/// How long a server may take to answer that it was subscribed to.
const LIMIT: Duration = Duration::from_secs(10);

/// Tells whether a resource changed. Dropping it ends the watching.
pub struct ResourceWatch {
    server: Weak<Server>,
    watched: Arc<Watched>,
    seen: AtomicU64,
}

/// A resource that is watched.
struct Watched {
    uri: String,
    changes: AtomicU64,
}

/// The resources of a server that are watched, by address.
#[derive(Default)]
pub(super) struct WatchedResources {
    all: Mutex<HashMap<String, Weak<Watched>>>,
    /// Other resources are watched than before.
    pub(super) others: Notify,
}

impl WatchedResources {
    /// Something changed that is one of them or a part of one.
    pub(super) fn changed(&self, uri: &str) {
        for watched in self.lock().values().filter_map(Weak::upgrade) {
            if uri.starts_with(&watched.uri) {
                watched.changes.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Nobody knows which of them changed.
    pub(super) fn all_changed(&self) {
        for watched in self.lock().values().filter_map(Weak::upgrade) {
            watched.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Their addresses, in order.
    pub(super) fn uris(&self) -> Vec<String> {
        let all = self.lock();
        let watched = all.values().filter_map(Weak::upgrade).map(|watched| watched.uri.clone());
        let mut uris: Vec<String> = watched.collect();
        drop(all);
        uris.sort_unstable();
        uris
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Watched>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl McpServers {
    /// Watches a resource, by what stands behind `@mcp:`; `None` when no server can have it.
    pub fn watch(&self, name: &str) -> Option<ResourceWatch> {
        let (server, uri) = self.place_of(name)?;
        let (watched, is_new) = {
            let mut all = server.watched.lock();
            match all.get(uri).and_then(Weak::upgrade) {
                Some(watched) => (watched, false),
                None => {
                    let watched = Arc::new(Watched { uri: uri.to_owned(), changes: AtomicU64::new(0) });
                    all.insert(uri.to_owned(), Arc::downgrade(&watched));
                    (watched, true)
                }
            }
        };
        let connection = server.status.borrow().connection.clone();
        if let Some(connection) = connection.filter(|_| is_new) {
            server.watched.others.notify_one();
            server.subscribe(connection, vec![uri.to_owned()]);
        }
        let seen = AtomicU64::new(watched.changes.load(Ordering::Relaxed));
        Some(ResourceWatch { server: Arc::downgrade(&server), watched, seen })
    }
}

impl Server {
    /// Lets the server tell what changes, of all that is watched as well. That may have changed while there was no
    /// connection.
    pub(super) fn subscribe_anew(self: &Arc<Self>, connection: &Arc<Connection>) {
        self.watched.all_changed();
        match &connection.telling {
            Telling::Unasked { .. } => self.subscribe(Arc::clone(connection), self.watched.uris()),
            Telling::InStreams(topics) => {
                self.in_background(listen(Arc::clone(self), Arc::clone(connection), topics.clone()));
            }
        }
    }

    fn subscribe(self: &Arc<Self>, connection: Arc<Connection>, uris: Vec<String>) {
        if uris.is_empty() || !connection.takes_subscriptions() {
            return;
        }
        let server = Arc::clone(self);
        self.in_background(async move {
            for uri in uris {
                if let Err(error) = server.ask(&connection, subscription(&uri), LIMIT).await {
                    tracing::debug!(server = server.name, uri, %error, "a resource cannot be watched");
                }
            }
        });
    }
}

impl ResourceWatch {
    /// Whether it changed since this was asked last.
    pub fn take_change(&self) -> bool {
        let changes = self.watched.changes.load(Ordering::Relaxed);
        self.seen.swap(changes, Ordering::Relaxed) != changes
    }
}

impl Drop for ResourceWatch {
    fn drop(&mut self) {
        let Some(server) = self.server.upgrade() else { return };
        {
            let mut all = server.watched.lock();
            if Arc::strong_count(&self.watched) > 1 {
                return;
            }
            all.remove(&self.watched.uri);
        }
        server.watched.others.notify_one();
        let connection = server.status.borrow().connection.clone();
        // At the end of the process there is nobody left to tell it.
        let connection = connection.filter(|connection| connection.takes_subscriptions());
        if let Some(connection) = connection.filter(|_| Handle::try_current().is_ok()) {
            let (uri, asked) = (self.watched.uri.clone(), Arc::clone(&server));
            server.in_background(async move {
                if let Err(error) = asked.ask(&connection, end_of_subscription(&uri), LIMIT).await {
                    tracing::debug!(server = asked.name, uri, %error, "a resource is still watched");
                }
            });
        }
    }
}

#[expect(deprecated, reason = "servers of all versions before 2026-07-28 are subscribed to so")]
fn subscription(uri: &str) -> ClientRequest {
    ClientRequest::SubscribeRequest(rmcp::model::SubscribeRequest::new(SubscribeRequestParams::new(uri)))
}

#[expect(deprecated, reason = "servers of all versions before 2026-07-28 are told so")]
fn end_of_subscription(uri: &str) -> ClientRequest {
    let params = UnsubscribeRequestParams::new(uri);
    ClientRequest::UnsubscribeRequest(rmcp::model::UnsubscribeRequest::new(params))
}
