//! Sends one prompt to an agent that works in the current folder and prints what happens as JSON lines:
//! `cargo run -p kit-session --example one_turn -- "Explain this project."`
//!
//! The model is the one of `KIT_MODEL`, else the default for the keys and servers that are there. Files are edited on
//! disk, since no editor is there, and what would need an answer of the user is refused.
#![allow(clippy::print_stdout, reason = "it is a command-line program")]

use std::error::Error;

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
        println!("{}", serde_json::to_string(&event)?);
        if matches!(event.body, EventBody::TurnEnd { .. }) {
            break;
        }
    }
    sessions.shutdown().await;
    Ok(())
}
