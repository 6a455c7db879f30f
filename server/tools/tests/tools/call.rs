use crate::desk::{Desk, failed, succeeded};
use futures::FutureExt;
use futures::future::BoxFuture;
use kit_protocol::ToolKind;
use kit_tools::{Access, AnyTool, ToolContext, ToolError, ToolOutput};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// A tool that does what a test wants.
struct Fake(fn(ToolContext) -> BoxFuture<'static, ToolOutput>);

impl AnyTool for Fake {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("fake")
    }

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed("A tool of a test.")
    }

    fn input_schema(&self) -> Value {
        json!({ "type": "object" })
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Other
    }

    fn parallel(&self) -> bool {
        false
    }

    fn title(&self, _arguments: &Value, _context: &ToolContext) -> String {
        "Fake".to_owned()
    }

    fn access(&self, _arguments: &Value, _context: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Free)
    }

    fn call(&self, _arguments: String, context: ToolContext) -> BoxFuture<'_, ToolOutput> {
        (self.0)(context)
    }
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_call_alone() {
    let desk = Desk::new();
    let output = desk.call_tool(Arc::new(Fake(|_| async { panic!("planted") }.boxed()))).await;
    assert_eq!(
        failed(output),
        "the tool fake failed unexpectedly; this is a defect of kit-ls, not of the call"
    );
    assert_eq!(succeeded(desk.call("bash", json!({ "command": "echo alive" })).await), "alive");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_ignores_a_cancel_is_given_up() {
    let desk = Desk::new();
    let tool = Fake(|context| {
        async move {
            context.cancel.cancel();
            std::future::pending().await
        }
        .boxed()
    });
    assert_eq!(failed(desk.call_tool(Arc::new(tool)).await), "cancelled by the user");
}

#[tokio::test]
async fn a_tool_that_ends_after_a_cancel_keeps_its_outcome() {
    let desk = Desk::new();
    let tool = Fake(|context| {
        async move {
            context.cancel.cancel();
            tokio::task::yield_now().await;
            ToolOutput::error("stopped after two of three")
        }
        .boxed()
    });
    assert_eq!(failed(desk.call_tool(Arc::new(tool)).await), "stopped after two of three");
}

#[tokio::test]
async fn a_cancelled_call_does_not_begin() {
    let desk = Desk::new();
    desk.context.cancel.cancel();
    assert_eq!(failed(desk.call("bash", json!({ "command": "touch made" })).await), "cancelled by the user");
    assert!(!desk.path("made").exists());
}

#[tokio::test]
async fn results_of_any_tool_are_capped() {
    let desk = Desk::new();
    let output =
        desk.call_tool(Arc::new(Fake(|_| async { ToolOutput::text("ä".repeat(200_000)) }.boxed()))).await;
    assert!(output.content.contains("[… 297,600 bytes left out …]"), "{}", &output.content[51_000..52_000]);
    assert!(output.content.len() < 103 * 1024);
}

#[tokio::test]
async fn read_only_tools_may_run_beside_each_other() {
    let desk = Desk::new();
    let listed = desk.registry.list();
    let parallel: Vec<(Cow<'_, str>, bool)> =
        listed.iter().map(|(_, tool)| (tool.name(), tool.parallel())).collect();
    assert_eq!(
        parallel,
        [
            ("bash".into(), false),
            ("edit".into(), false),
            ("find".into(), true),
            ("grep".into(), true),
            ("ls".into(), true),
            ("read".into(), true),
            ("write".into(), false)
        ]
    );
}
