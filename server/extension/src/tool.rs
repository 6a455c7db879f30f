//! Tools of extensions as models call them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kit_contract::{FilePart, ToolAnswer, ToolCancelledEvent, ToolDefinition, ToolInvocation};
use kit_protocol::{ToolCallId, ToolKind};
use kit_tools::{Access, AnyTool, OutputSink, ToolContext, ToolError, ToolOutput, media};
use serde_json::{Value, json};

use crate::extensions::Extensions;

/// How long a tool may take to end after its cancel.
const CANCEL: Duration = Duration::from_secs(1);

/// A tool of an extension. It finds its extension anew for each call, so that a reload does not concern it.
pub(crate) struct ExtensionTool {
    hub: Weak<Extensions>,
    extension: PathBuf,
    definition: ToolDefinition,
}

impl ExtensionTool {
    pub(crate) fn new(hub: Weak<Extensions>, extension: PathBuf, definition: ToolDefinition) -> Self {
        Self { hub, extension, definition }
    }

    async fn run(&self, arguments: String, context: ToolContext) -> ToolOutput {
        let name = &self.definition.name;
        let hub = self.hub.upgrade();
        let Some((hub, extension)) = hub.and_then(|hub| {
            hub.generation().by_path(&self.extension).cloned().map(|extension| (hub, extension))
        }) else {
            return ToolOutput::error(format!(
                "the extension that has the tool {name} is not loaded any more"
            ));
        };
        extension.caller.hears_of(&context.session);
        hub.bind(&context.session).await;
        let parsed: Value = serde_json::from_str(&arguments).unwrap_or_else(|_| json!({}));
        let invocation = ToolInvocation {
            tool_call_id: context.call.to_string(),
            arguments: parsed,
            input: arguments,
            context: hub.context(Some(&context.session)),
        };
        let _running = hub.running_tools().begin(&context);
        let call = extension.invoke::<_, ToolAnswer>("tool", name, &invocation);
        tokio::pin!(call);
        let answer = tokio::select! {
            answer = &mut call => Some(answer),
            () = context.cancel.cancelled() => {
                let event = ToolCancelledEvent { tool_call_id: context.call.to_string() };
                hub.tell_caller(&extension.caller, "tool.cancelled", event);
                tokio::time::timeout(CANCEL, &mut call).await.ok()
            }
        };
        match answer {
            Some(Ok(answer)) => output(answer).await,
            Some(Err(fault)) => ToolOutput::error(format!("the tool {name} failed: {fault}")),
            None => ToolError::Cancelled.into(),
        }
    }
}

/// What a model gets of an answer. The files are looked at beside other work: they may be many bytes.
async fn output(answer: ToolAnswer) -> ToolOutput {
    let ToolAnswer { mut content, files, is_error } = answer;
    if files.is_empty() {
        return ToolOutput { content, is_error, ..ToolOutput::default() };
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut media = Vec::new();
        for FilePart { filename, data, media_type } in files {
            if !content.is_empty() && !content.ends_with('\n') {
                content.push('\n');
            }
            let what = if filename.trim().is_empty() { "file" } else { filename.trim() };
            content.push_str(&media::keep(&mut media, what, Some(media_type.as_str()), &data));
        }
        ToolOutput { content, media, is_error, ..ToolOutput::default() }
    });
    read.await.unwrap_or_else(|error| ToolOutput::error(format!("its files cannot be read: {error}")))
}

impl AnyTool for ExtensionTool {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.definition.name)
    }

    fn description(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.definition.description)
    }

    /// A map of properties without anything around it is taken as what it means.
    fn input_schema(&self) -> Value {
        match &self.definition.parameters {
            Value::Object(fields) if fields.contains_key("properties") || fields.contains_key("type") => {
                let mut schema = fields.clone();
                schema.entry("type").or_insert_with(|| "object".into());
                schema.entry("properties").or_insert_with(|| json!({}));
                Value::Object(schema)
            }
            Value::Object(properties) => json!({ "type": "object", "properties": properties }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                json!({ "type": "object", "properties": {} })
            }
        }
    }

    fn kind(&self) -> ToolKind {
        let named = self.definition.kind.clone().unwrap_or_default();
        serde_json::from_value(named.into()).unwrap_or(ToolKind::Other)
    }

    fn parallel(&self) -> bool {
        self.definition.parallel
    }

    fn title(&self, _arguments: &Value, _context: &ToolContext) -> String {
        self.definition.name.clone()
    }

    /// What the tool reaches was granted to its extension, so only one that says that it changes or runs something
    /// needs a permission of its own.
    fn access(&self, _arguments: &Value, _context: &ToolContext) -> Result<Access, ToolError> {
        Ok(match self.kind() {
            ToolKind::Edit | ToolKind::Execute => Access::Other { subject: self.definition.name.clone() },
            ToolKind::Read | ToolKind::Search | ToolKind::Agent | ToolKind::Other => Access::Free,
        })
    }

    fn call(&self, arguments: String, context: ToolContext) -> BoxFuture<'_, ToolOutput> {
        self.run(arguments, context).boxed()
    }
}

/// The calls of extensions' tools that run, for their progress.
#[derive(Default)]
pub(crate) struct RunningTools {
    calls: Mutex<HashMap<ToolCallId, (OutputSink, tokio_util::sync::CancellationToken)>>,
}

impl RunningTools {
    fn begin(&self, context: &ToolContext) -> Running<'_> {
        let entry = (Arc::clone(&context.output), context.cancel.clone());
        self.lock().insert(context.call.clone(), entry);
        Running { tools: self, call: context.call.clone() }
    }

    /// Shows progress of a call that runs.
    pub(crate) fn progress(&self, call: &ToolCallId, text: String) {
        let output = self.lock().get(call).map(|(output, _)| Arc::clone(output));
        if let Some(output) = output {
            output(if text.ends_with('\n') { text } else { text + "\n" }, false);
        }
    }

    /// Whether a call is no longer wanted.
    pub(crate) fn is_cancelled(&self, call: &ToolCallId) -> bool {
        self.lock().get(call).is_none_or(|(_, cancel)| cancel.is_cancelled())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ToolCallId, (OutputSink, tokio_util::sync::CancellationToken)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Running<'a> {
    tools: &'a RunningTools,
    call: ToolCallId,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.tools.lock().remove(&self.call);
    }
}
