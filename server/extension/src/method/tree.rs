//! The session's tree.

use std::sync::Arc;

use kit_contract::{BranchParameters, CollapseBranchParameters, EntryParameters, NavigationResult, TreeNode};
use kit_protocol::{EntryId, ErrorKind, SessionArguments, SessionId};
use kit_session::{SessionEntry, Sessions};
use tokio_util::sync::CancellationToken;

use super::sessions::{refused, session_of};
use crate::caller::{Caller, parse};
use crate::extensions::Extensions;
use crate::sandbox::Failure;

fn described(entry: SessionEntry) -> TreeNode {
    TreeNode {
        id: entry.id.to_string(),
        parent_id: entry.parent.map(|parent| parent.to_string()),
        r#type: entry.kind,
        role: entry.role.map(|role| crate::convert::role_name(role).to_owned()),
        content: entry.text,
        model: entry.model,
        provider: entry.provider,
        timestamp: entry.at,
        children: entry.children.iter().map(ToString::to_string).collect(),
    }
}

/// An entry, if there is one.
async fn entry(sessions: &Sessions, session: &SessionId, id: &str) -> Result<Option<SessionEntry>, Failure> {
    match sessions.entry(session, &EntryId::from(id)).await {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

pub(super) async fn node(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Option<TreeNode>, Failure> {
    let EntryParameters { id } = parse("getTreeNode", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    Ok(entry(&*hub.sessions()?, &session, &id).await?.map(described))
}

pub(super) async fn branch(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<TreeNode>, Failure> {
    let session = session_of(hub, caller, parameters)?;
    let entries = hub.sessions()?.branch_entries(&session).await.map_err(refused)?;
    Ok(entries.into_iter().map(described).collect())
}

pub(super) async fn children(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<Vec<TreeNode>, Failure> {
    let EntryParameters { id } = parse("getChildren", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    let sessions = hub.sessions()?;
    let Some(parent) = entry(&sessions, &session, &id).await? else { return Ok(Vec::new()) };
    let mut children = Vec::new();
    for child in parent.children {
        children.extend(entry(&sessions, &session, child.as_str()).await?.map(described));
    }
    Ok(children)
}

pub(super) async fn navigate(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<NavigationResult, Failure> {
    let EntryParameters { id } = parse("navigateTo", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    let arguments = SessionArguments {
        session: Some(session),
        entry: Some(EntryId::from(id.as_str())),
        ..SessionArguments::default()
    };
    let moved = hub.sessions()?.branch(arguments).await;
    Ok(NavigationResult { success: moved.is_ok(), error: moved.err().map(|error| error.message) })
}

pub(super) async fn summarize(
    hub: &Arc<Extensions>,
    caller: &Caller,
    parameters: &str,
) -> Result<String, Failure> {
    let BranchParameters { from_id, to_id } = parse("summarizeBranch", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    let (from, to) = (EntryId::from(from_id.as_str()), EntryId::from(to_id.as_str()));
    // Dropped with the call that asks, which ends the request to the provider.
    let cancel = CancellationToken::new();
    let _end = cancel.clone().drop_guard();
    hub.sessions()?.summarize_branch(&session, &from, &to, cancel).await.map_err(refused)
}

pub(super) async fn collapse(
    hub: &Extensions,
    caller: &Caller,
    parameters: &str,
) -> Result<NavigationResult, Failure> {
    let CollapseBranchParameters { from_id, to_id, summary } = parse("collapseBranch", parameters)?;
    let session = session_of(hub, caller, parameters)?;
    let (from, to) = (EntryId::from(from_id.as_str()), EntryId::from(to_id.as_str()));
    let collapsed = hub.sessions()?.collapse_branch(&session, &from, &to, &summary).await;
    Ok(NavigationResult { success: collapsed.is_ok(), error: collapsed.err().map(|error| error.message) })
}
