//! Gives a task to a subagent, hears it at work, and reads its report: `cargo run -p kit-session --example subagent`
#![allow(clippy::print_stdout, reason = "it is a command-line program")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use kit_protocol::{EventBody, SessionArguments, Settings};
use kit_session::{Dependencies, Feed, Sessions, SpawnRequest, SubagentOutcome};
use kit_workspace::Paths;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let task = std::env::args().nth(1).unwrap_or_else(|| "Say what lies in this folder.".to_owned());
    let settings = Settings { model: std::env::var("KIT_MODEL").ok(), ..Settings::default() };
    let paths = Paths::discover(|name| std::env::var_os(name))?;
    let root = std::env::current_dir()?;
    let sessions = Sessions::new(Dependencies::local(root, paths, settings, Feed::new()));

    // A subagent works for a session, whose permissions, tools and budget are its own.
    let parent = sessions.new_session(SessionArguments::default()).await?.session;
    let request = SpawnRequest {
        agent: Some("explore".to_owned()),
        timeout: Some(Duration::from_secs(120)),
        listener: Some(Arc::new(|event| {
            if let EventBody::ToolCall { title, .. } = &event.body {
                println!("→ {title}");
            }
        })),
        ..SpawnRequest::new(parent.clone(), task)
    };
    let subagent = sessions.spawn(request).await?;
    let report = subagent.wait().await;
    match &report.outcome {
        SubagentOutcome::Completed(_) => println!("{}", report.response),
        SubagentOutcome::Failed(why) => println!("it failed: {why}"),
        SubagentOutcome::TimedOut(_) | SubagentOutcome::Killed => println!("stopped: {}", report.partial),
    }

    // The same subagent goes on where it was, and remembers what it did.
    let further = SpawnRequest::new(parent, "Say it in one sentence.");
    let again = sessions.spawn(SpawnRequest { session: Some(subagent.id().clone()), ..further }).await?;
    println!("{} ({} tokens)", again.wait().await.response, report.usage.output_tokens);
    sessions.shutdown().await;
    Ok(())
}
