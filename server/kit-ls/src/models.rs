//! `kit-ls models`: which models there are, and refreshing what is known about them.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use kit_protocol::{ModelInfo, Price};
use kit_provider::{Models, ProviderListing};

const NONE: &str = "no provider can be used yet: `kit-ls auth login PROVIDER` stores a key, `kit-ls models --all` lists all providers";
const MORE: &str =
    "`kit-ls models --all` lists the other providers too, `kit-ls auth login PROVIDER` stores a key";

/// What follows `kit-ls models`.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ModelsCommand {
    /// Only this provider
    provider: Option<String>,
    /// Also providers that cannot be used yet, because a key or a server is missing
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Clone, Debug, PartialEq, Subcommand)]
enum Change {
    /// Refresh the list of models, by default from models.dev
    Update {
        /// An address, a file in the format of models.dev, or `embedded` for the list of this version
        #[arg(value_name = "URL|FILE|embedded")]
        source: Option<String>,
    },
}

/// What the command prints; the error is one sentence.
pub(crate) async fn run(command: &ModelsCommand, models: &Models) -> anyhow::Result<String> {
    match (&command.change, &command.provider) {
        (Some(Change::Update { source }), _) => {
            let count = models.update_catalogue(source.as_deref()).await?;
            Ok(match count {
                Some(count) => format!("{} models are known from the refreshed list", grouped(count)),
                None => "the list of this version is used again".to_owned(),
            })
        }
        (None, Some(provider)) => Ok(text(&[models.provider(provider).await?])),
        (None, None) if command.all => Ok(text(&models.all_providers().await)),
        (None, None) => {
            let usable = models.usable_providers().await;
            if usable.is_empty() {
                return Ok(NONE.to_owned());
            }
            Ok(format!("{}\n\n{MORE}", text(&usable)))
        }
    }
}

fn text(listings: &[ProviderListing]) -> String {
    let mut text = String::new();
    for listing in listings {
        let ProviderListing { id, name, origin, is_usable, models, remark } = listing;
        let key = match (origin, is_usable) {
            (Some(origin), _) => format!("key from {}", origin.describe()),
            (None, true) => "no key needed".to_owned(),
            (None, false) => "no key".to_owned(),
        };
        let _never = writeln!(text, "{id} ({name}, {key})");
        if let Some(remark) = remark {
            let _never = writeln!(text, "  as known here, because {remark}");
        }
        let width = models.iter().map(|model| model.id.name().chars().count()).max().unwrap_or_default();
        for model in models {
            let _never = writeln!(text, "  {}", line(model, width));
        }
        if models.is_empty() {
            text.push_str("  any model by its name\n");
        }
    }
    text.trim_end().to_owned()
}

fn line(model: &ModelInfo, width: usize) -> String {
    let mut line = format!(
        "{:<width$}  {:>6} context  {:>6} answer  {:<16}",
        model.id.name(),
        size(model.context_window),
        size(model.max_output),
        model.price.map_or_else(|| if model.note.is_some() { "" } else { "price unknown" }.to_owned(), price),
    );
    if model.reasoning {
        line.push_str("  reasons");
    }
    if let Some(note) = &model.note {
        let _never = write!(line, "  {note}");
    }
    line.trim_end().to_owned()
}

/// A number of tokens in few characters; nothing for one that is not known.
fn size(tokens: u64) -> String {
    match tokens {
        0 => "?".to_owned(),
        1_000_000.. => format!("{}M", tenths(tokens, 1_000_000)),
        1000.. => format!("{}k", tokens / 1000),
        _ => tokens.to_string(),
    }
}

/// Input and output in USD per million tokens.
fn price(price: Price) -> String {
    let dollars = |micros: u64| format!("{}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000);
    if price.input == 0 && price.output == 0 {
        return "free".to_owned();
    }
    format!("${} / ${}", dollars(price.input), dollars(price.output))
}

/// A count in units, with one digit after the point where that is not zero.
fn tenths(count: u64, unit: u64) -> String {
    match count % unit * 10 / unit {
        0 => (count / unit).to_string(),
        tenth => format!("{}.{tenth}", count / unit),
    }
}

/// A number with a comma at every thousand.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_one_line_with_limits_and_price() {
        let model = ModelInfo {
            id: "a/some-model".parse().unwrap(),
            provider: "a".to_owned(),
            name: "Some".to_owned(),
            context_window: 1_050_000,
            max_output: 64_000,
            reasoning: true,
            price: Some(Price { input: 3_000_000, output: 150_000, cache_read: None, cache_write: None }),
            note: None,
        };
        assert_eq!(
            line(&model, 12),
            "some-model        1M context     64k answer  $3.00 / $0.15     reasons"
        );
        let unknown =
            ModelInfo { context_window: 0, max_output: 512, reasoning: false, price: None, ..model };
        assert_eq!(line(&unknown, 10), "some-model       ? context     512 answer  price unknown");
        assert_eq!(
            (size(1_500_000), grouped(4271), grouped(12)),
            ("1.5M".to_owned(), "4,271".to_owned(), "12".to_owned())
        );
    }
}
