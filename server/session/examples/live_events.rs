//! Follows a turn as a person would: the text as it comes, what the tools do, and what it costs.
//! `cargo run -p kit-session --example live_events -- "Explain this project."`
#![allow(clippy::print_stdout, reason = "it is a command-line program")]
#![allow(clippy::wildcard_enum_match_arm, reason = "it shows what it knows")]

use std::error::Error;
use std::io::Write as _;

use kit_protocol::{EventBody, PromptArguments, Settings, TurnId};
use kit_session::{Dependencies, Feed, Sessions};
use kit_text::Encoding;
use kit_workspace::Paths;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "Say hello.".to_owned());
    let settings = Settings { model: std::env::var("KIT_MODEL").ok(), ..Settings::default() };
    let paths = Paths::discover(|name| std::env::var_os(name))?;
    let feed = Feed::new();
    let root = std::env::current_dir()?;
    let sessions = Sessions::new(Dependencies::local(root, paths, settings, feed.clone()));

    let (mut events, turn) = (feed.events(), TurnId::random());
    sessions.prompt(PromptArguments::new(text), Encoding::Utf8, turn.clone()).await?;
    while let Some(event) = events.next_of(&turn).await? {
        match event.body {
            EventBody::MessageUpdate { chunk } => print!("{chunk}"),
            EventBody::ToolCall { title, .. } => println!("\n→ {title}"),
            EventBody::Retry { reason, after_ms, .. } => println!("\n{reason}; again in {after_ms} ms"),
            EventBody::Error { message, .. } | EventBody::Notice { message } => println!("\n{message}"),
            EventBody::TurnEnd { usage, duration_ms, stop_reason, .. } => {
                let dollars = usage
                    .cost_micros
                    .map(|micros| format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000));
                println!(
                    "\n{stop_reason:?} after {duration_ms} ms, {}",
                    dollars.unwrap_or_else(|| "no price".into())
                );
                break;
            }
            _ => {}
        }
        std::io::stdout().flush()?;
    }
    println!("{} tokens in the context", feed.status().borrow().usage.context_used);
    sessions.shutdown().await;
    Ok(())
}
