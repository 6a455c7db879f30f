//! Asking the user for what an extension asks for, once for each content.

use std::sync::Arc;

use kit_contract::Permissions;
use kit_protocol::{
    AgentId, AgentRef, PermissionOption, PermissionOptionKind, PermissionRequest, PermissionScope,
    PermissionSubject, QuestionId, SessionId, ToolKind, UiSlot,
};
use tokio_util::sync::CancellationToken;

use crate::extensions::Extensions;
use crate::grants::Grant;
use crate::loaded::Loaded;
use crate::screen::UiItem;

const THIS_VERSION: &str = "allow-version";
const ANY_VERSION: &str = "allow-any";
const NOT_NOW: &str = "not-now";
const NEVER: &str = "deny";

impl Extensions {
    /// Asks for what a new extension needs, unless that was decided before. The extension runs meanwhile, without it.
    pub(crate) fn ask_for_grant(self: &Arc<Self>, extension: Arc<Loaded>) {
        let decided = self.grants().find(&extension.path, &extension.hash);
        let is_covered =
            |granted: &Permissions| crate::load::within(granted.clone(), &extension.asks) == extension.asks;
        // A refusal is a decision as well.
        if extension.asks.is_empty()
            || decided.is_some_and(|granted| granted.is_empty() || is_covered(&granted))
        {
            return;
        }
        if !self.ports().interactive {
            return self.tell_what_is_missing(&extension);
        }
        let hub = Arc::clone(self);
        self.spawn_question(async move {
            let cancel = CancellationToken::new();
            let answer = hub.ports().workspace.editor().permission(request(&hub, &extension), cancel).await;
            let (hash, permissions) = match answer.as_ref().map(|answer| answer.option.as_str()) {
                Some(THIS_VERSION) => (Some(extension.hash.clone()), extension.asks.clone()),
                Some(ANY_VERSION) => (None, extension.asks.clone()),
                Some(NEVER) => (Some(extension.hash.clone()), Permissions::default()),
                Some(_) | None => return,
            };
            hub.grant(&extension, hash, permissions);
        });
    }

    /// Where nobody can be asked, whoever reads what the run says learns how to grant it.
    fn tell_what_is_missing(&self, extension: &Loaded) {
        let (asked, file) = (describe(&extension.asks).join("; "), extension.path.display());
        let text = format!(
            "the extension {} wants to {asked}, which is not granted: `kit-ls extensions grant {file}`",
            extension.name
        );
        let item = UiItem { text, ..UiItem::default() };
        if let Err(error) = self.show(&extension.name, UiSlot::Print, &self.next_id("print"), item) {
            tracing::warn!(%error, "nobody is told what an extension asks for");
        }
    }

    /// Stores a decision, which holds at once.
    pub(crate) fn grant(&self, extension: &Loaded, hash: Option<String>, permissions: Permissions) {
        let grant = Grant { hash, permissions: permissions.clone() };
        if let Err(error) = self.grants().store(&extension.path, grant) {
            let file = self.grants().file().display();
            tracing::warn!(%file, %error, "a grant holds until the server ends, as it cannot be stored");
        }
        extension.caller.grant(permissions);
    }
}

fn request(hub: &Extensions, extension: &Loaded) -> PermissionRequest {
    let option = |id: &str, label: &str, kind, scope| PermissionOption {
        id: id.to_owned(),
        label: label.to_owned(),
        kind,
        scope,
        rule: None,
    };
    let asked = describe(&extension.asks).join("; ");
    PermissionRequest {
        id: QuestionId::random(),
        session: hub.current_session().unwrap_or_else(|| SessionId::from("extensions")),
        agent: AgentRef {
            id: AgentId::from(format!("extension:{}", extension.name).as_str()),
            name: Some(extension.name.clone()),
            path: vec![extension.name.clone()],
            tool_call_id: None,
        },
        tool_call_id: None,
        title: format!("The extension {} wants to {asked}", extension.name),
        tool_kind: ToolKind::Other,
        subject: PermissionSubject {
            uri: Some(kit_workspace::DocumentUri::from_path(&extension.path).as_str().to_owned()),
            args: serde_json::to_value(&extension.asks).ok(),
            ..PermissionSubject::default()
        },
        options: vec![
            option(
                THIS_VERSION,
                "Allow this version",
                PermissionOptionKind::AllowAlways,
                Some(PermissionScope::User),
            ),
            option(
                ANY_VERSION,
                "Allow, also after changes of the file",
                PermissionOptionKind::AllowAlways,
                Some(PermissionScope::User),
            ),
            option(NOT_NOW, "Not now", PermissionOptionKind::RejectOnce, None),
            option(
                NEVER,
                "Never this version",
                PermissionOptionKind::RejectAlways,
                Some(PermissionScope::User),
            ),
        ],
        why: Some("extensions reach nothing outside the agent without a grant".to_owned()),
    }
}

/// What permissions allow, in words.
pub fn describe(permissions: &Permissions) -> Vec<String> {
    let listed =
        |verb: &str, what: &[String]| (!what.is_empty()).then(|| format!("{verb} {}", what.join(", ")));
    let parts = [
        listed("read", &permissions.fs.read),
        listed("write", &permissions.fs.write),
        listed("run", &permissions.exec),
        listed("send requests to", &permissions.http),
        listed("read the environment variables", &permissions.env),
    ];
    parts.into_iter().flatten().collect()
}
