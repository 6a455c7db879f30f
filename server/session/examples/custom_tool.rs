//! Gives the model a tool of this program: `cargo run -p kit-session --example custom_tool`
#![allow(clippy::print_stdout, reason = "it is a command-line program")]

use std::{borrow::Cow, sync::Arc};

use kit_protocol::{PromptArguments, Settings, ToolKind, TurnId};
use kit_session::{Dependencies, Feed, Sessions};
use kit_tools::{Access, Tool, ToolContext, ToolError, ToolOutput, ToolSource};

/// The arguments; the schema that the model reads is made from them and their documentation.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Tour {
    /// Kilometers between two stops each.
    legs: Vec<u64>,
}

struct TourLength;

impl Tool for TourLength {
    type Input = Tour;
    const NAME: &'static str = "tour_length";
    fn description(&self) -> Cow<'_, str> {
        "Adds up the legs of a tour.".into()
    }
    fn kind(&self) -> ToolKind {
        ToolKind::Other
    }
    fn title(&self, tour: &Tour, _: &ToolContext) -> String {
        format!("Add {} legs", tour.legs.len())
    }
    fn access(&self, _: &Tour, _: &ToolContext) -> Result<Access, ToolError> {
        Ok(Access::Free)
    }
    async fn run(&self, tour: Tour, _: ToolContext) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(format!("{} km", tour.legs.iter().sum::<u64>())))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (feed, paths) = (Feed::new(), kit_workspace::Paths::discover(|name| std::env::var_os(name))?);
    let settings = Settings { model: std::env::var("KIT_MODEL").ok(), ..Settings::default() };
    let with = Dependencies::local(std::env::current_dir()?, paths, settings, feed.clone());
    with.tools.add(ToolSource::Program, Arc::new(TourLength));
    let (sessions, mut events, turn) = (Sessions::new(with), feed.events(), TurnId::random());
    let prompt = PromptArguments::new("How long is a tour of 3, 4 and 5 km?");
    sessions.prompt(prompt, kit_text::Encoding::Utf8, turn.clone()).await?;
    println!("{}", events.response(&turn).await?);
    Ok(())
}
