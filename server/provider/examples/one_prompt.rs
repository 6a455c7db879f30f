//! Streams the answer to one prompt: `cargo run -p kit-provider --example one_prompt -- "Why is the sky blue?"`.
//! The model is the one of `KIT_MODEL`, else the default for the keys and servers that are there.
#![allow(clippy::print_stdout, reason = "it is a command-line program")]

use std::error::Error;
use std::io::Write as _;

use futures::StreamExt as _;
use kit_protocol::{Message, Role};
use kit_provider::{Environment, ModelEvent, Models, Parameters, ProviderSettings, Request};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::var("KIT_MODEL").ok().map(|model| model.parse()).transpose()?;
    let models =
        Models::new(&ProviderSettings { model, ..ProviderSettings::default() }, Environment::capture());
    let prompt = std::env::args().nth(1).unwrap_or_else(|| "Say hello.".to_owned());
    let request = Request {
        system: "Answer in one sentence.".into(),
        messages: [Message::text(Role::User, prompt)].into(),
        tools: [].into(),
        parameters: Parameters::default(),
        cache_key: None,
    };
    let model = models.resolve(&models.default_model().await)?;
    let mut events = model.stream(request, CancellationToken::new());
    while let Some(event) = events.next().await {
        let event = event?;
        if let ModelEvent::TextDelta(text) = &event {
            print!("{text}");
        }
        if let ModelEvent::Finished(answer) = event {
            println!("\n[{}: {:?}, {:?}]", answer.model, answer.tokens, answer.cost);
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
