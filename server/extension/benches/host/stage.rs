//! What a host of extensions stands on without an editor, a network and a model: an editor that never answers, a client
//! that counts, and no network. The bench of the host and the soak share it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_extension::{
    ExtensionSettings, ExtensionSink, Extensions, Fetch, FetchError, FetchRequest, FetchResponse, Ports,
};
use kit_protocol::{
    AskAnswer, AskRequest, Event, FileDiagnostics, PermissionAnswer, PermissionRequest, ReviewState, Status,
    UiSlot, UiUpdate,
};
use kit_session::{ReviewDesk, Sink};
use kit_tools::{Policy, Registry, ToolSettings};
use kit_workspace::{
    ApplyAnswer, DiskEditor, DocumentEdit, DocumentUri, Documents, Editor, Paths, Root, Trust, Workspace,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A host of extensions, with what is behind it.
pub(crate) struct Stage {
    pub(crate) hub: Arc<Extensions>,
    pub(crate) sink: Arc<ExtensionSink>,
    pub(crate) silent: Arc<Silent>,
    pub(crate) screen: Arc<Screen>,
    /// Where the extensions lie.
    pub(crate) extensions: PathBuf,
}

impl Stage {
    /// A host below a folder, without extensions yet.
    pub(crate) fn new(folder: &Path) -> Self {
        let root = folder.join("project");
        let extensions = root.join("extensions");
        std::fs::create_dir_all(&extensions).expect("the extensions' folder");
        let paths = Paths::below(&folder.join("kit"));
        let silent = Arc::new(Silent::default());
        let workspace = Arc::new(Workspace::new(
            vec![Root::new(root)],
            Arc::new(Documents::new()),
            Arc::clone(&silent) as Arc<dyn Editor>,
            ReviewDesk::new(),
        ));
        let screen = Arc::new(Screen::default());
        let sink = ExtensionSink::new(Arc::clone(&screen) as Arc<dyn Sink>);
        let ports = Ports {
            workspace,
            tools: Arc::new(Registry::builtin()),
            tool_settings: Arc::new(ToolSettings::default()),
            policy: Arc::new(Policy::new(&paths, &[])),
            sink: Arc::clone(&screen) as Arc<dyn Sink>,
            fetch: Arc::new(NoNetwork),
            trust: Trust::new(&paths),
            environment: Arc::new(|_| None),
            interactive: true,
            paths,
        };
        let settings = ExtensionSettings { named: vec![extensions.clone()], ..ExtensionSettings::default() };
        let hub = Extensions::new(ports, settings);
        sink.connect(&hub);
        Self { hub, sink, silent, screen, extensions }
    }
}

/// A user who is asked and never answers.
#[derive(Default)]
pub(crate) struct Silent {
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) asked: AtomicUsize,
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Editor for Silent {
    fn apply(&self, edit: DocumentEdit) -> BoxFuture<'_, ApplyAnswer> {
        DiskEditor.apply(edit)
    }

    fn save(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<DocumentUri>> {
        DiskEditor.save(uris)
    }

    fn permission(
        &self,
        _request: PermissionRequest,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Option<PermissionAnswer>> {
        std::future::ready(None).boxed()
    }

    fn ask(&self, _request: AskRequest, cancel: CancellationToken) -> BoxFuture<'_, AskAnswer> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&self.open));
        async move {
            cancel.cancelled().await;
            drop(open);
            AskAnswer { cancelled: true, ..AskAnswer::default() }
        }
        .boxed()
    }

    fn diagnostics(&self, uris: Vec<DocumentUri>) -> BoxFuture<'_, Vec<FileDiagnostics>> {
        DiskEditor.diagnostics(uris)
    }
}

/// A client that counts.
#[derive(Default)]
pub(crate) struct Screen {
    pub(crate) shown: AtomicUsize,
    pub(crate) printed: watch::Sender<usize>,
}

impl Sink for Screen {
    fn event(&self, _event: Event) {}
    fn status(&self, _status: Status) {}
    fn review(&self, _state: ReviewState) {}
    fn ui(&self, update: UiUpdate) {
        self.shown.fetch_add(1, Ordering::Relaxed);
        if update.slot == UiSlot::Print {
            self.printed.send_modify(|printed| *printed += 1);
        }
    }
}

struct NoNetwork;

impl Fetch for NoNetwork {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<FetchResponse, FetchError>> {
        std::future::ready(Err(FetchError::Denied(request.url))).boxed()
    }
}

/// Resident memory of this process.
pub(crate) fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}
