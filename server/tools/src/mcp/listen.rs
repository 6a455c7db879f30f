//! Listens to what a server of revision 2026-07-28 tells: that its lists changed, and the resources that are watched.
//!
//! All of it comes in one stream, which is opened anew with other resources whenever these change; the one before ends
//! when the next is there, so nothing is missed between. After a stream that the server ended, anything may have changed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rmcp::model::{ServerNotification, SubscriptionFilter};
use rmcp::service::Subscription;

use super::connect::Connection;
use super::server::Server;

/// How long a server may take to open a stream.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a server that ended a stream is left alone.
const REST: Duration = Duration::from_secs(30);

/// What a server tells of in streams.
#[derive(Clone)]
pub(super) struct Topics {
    /// Its lists that may change.
    pub(super) lists: SubscriptionFilter,
    /// Whether single resources may be asked for.
    pub(super) resources: bool,
}

/// Listens until the connection ends.
pub(super) async fn listen(server: Arc<Server>, connection: Arc<Connection>, topics: Topics) {
    tokio::select! {
        () = connection.ended.cancelled() => {}
        never = listen_on(&server, &connection, topics) => match never {},
    }
}

async fn listen_on(server: &Server, connection: &Connection, topics: Topics) -> Infallible {
    let mut open: Option<Subscription> = None;
    loop {
        let mut wanted = topics.lists.clone();
        let resources = server.watched.uris();
        wanted.resource_subscriptions =
            Some(resources).filter(|resources| topics.resources && !resources.is_empty());
        let next = if wanted == SubscriptionFilter::default() {
            None
        } else {
            match tokio::time::timeout(LIMIT, connection.peer.listen(wanted)).await {
                Ok(Ok(next)) => Some(next),
                Ok(Err(error)) => {
                    tracing::debug!(server = server.name, %error, "a server cannot be listened to");
                    None
                }
                Err(_) => {
                    tracing::debug!(server = server.name, "a server opened no stream in time");
                    None
                }
            }
        };
        if let Some(mut before) = std::mem::replace(&mut open, next) {
            // What it told until now; the rest is told by the next one.
            hear(server, connection, &mut before).now_or_never();
        }
        let Some(subscription) = &mut open else {
            server.watched.others.notified().await;
            continue;
        };
        tokio::select! {
            () = server.watched.others.notified() => {}
            () = hear(server, connection, subscription) => {
                tracing::debug!(server = server.name, end = ?subscription.end(), "a stream of a server ended");
                tokio::time::sleep(REST).await;
                server.watched.all_changed();
                connection.client.changed.notify_one();
            }
        }
    }
}

/// Passes on what a stream tells until it ends.
async fn hear(server: &Server, connection: &Connection, subscription: &mut Subscription) {
    loop {
        match subscription.next().await {
            Ok(Some(ServerNotification::ResourceUpdatedNotification(told))) => {
                server.watched.changed(&told.params.uri);
            }
            Ok(Some(
                ServerNotification::ToolListChangedNotification(_)
                | ServerNotification::PromptListChangedNotification(_)
                | ServerNotification::ResourceListChangedNotification(_),
            )) => connection.client.changed.notify_one(),
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(server = server.name, %error, "a stream of a server broke");
                return;
            }
        }
    }
}
