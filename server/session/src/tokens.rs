//! How many tokens a context holds: what the provider counted, and an estimate of what it did not count.
//!
//! A text counts a token for every four bytes, as upstream Kit has it; an image counts what providers charge for a large
//! one, because its bytes say nothing. Once a provider has told the size of a context, only what came since is estimated,
//! so the error never grows beyond a few messages. A compaction lowers the counted size by the estimate of what it
//! removed, and never below the estimate of what is left.

use kit_protocol::{MediaKind, Message, Part, Usage};
use kit_provider::ToolDefinition;

/// Bytes of text for one token.
const BYTES_PER_TOKEN: u64 = 4;
/// An image of the largest size that providers look at.
const IMAGE: u64 = 1_600;
/// Base64 bytes of a document for one token: about 50 KB and 2,000 tokens for a page.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 32;

/// Base64 bytes of a sound for one token: about 21 KB and 32 tokens for a second of what is compressed.
const SOUND_BYTES_PER_TOKEN: u64 = 640;

/// The estimate for a text.
pub(crate) fn of_text(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX).div_ceil(BYTES_PER_TOKEN)
}

/// The estimate for a message.
pub(crate) fn of_message(message: &Message) -> u64 {
    message.parts.iter().map(of_part).fold(0, u64::saturating_add)
}

/// The estimate for messages.
pub(crate) fn of_messages<'a>(messages: impl IntoIterator<Item = &'a Message>) -> u64 {
    messages.into_iter().map(of_message).fold(0, u64::saturating_add)
}

/// The estimate for what a request holds beside the messages.
pub(crate) fn of_frame(system: &str, tools: &[ToolDefinition]) -> u64 {
    let tool = |tool: &ToolDefinition| {
        of_text(&tool.name) + of_text(&tool.description) + of_text(&tool.input_schema.to_string())
    };
    of_text(system) + tools.iter().map(tool).sum::<u64>()
}

fn of_part(part: &Part) -> u64 {
    match part {
        Part::Text(text) => of_text(&text.text),
        Part::Reasoning(reasoning) => of_text(&reasoning.thinking),
        Part::ToolCall(call) => of_text(&call.name) + of_text(&call.input),
        Part::ToolResult(result) => of_text(&result.content),
        Part::Image(medium) => {
            let bytes = u64::try_from(medium.data.len()).unwrap_or(u64::MAX);
            match medium.kind() {
                MediaKind::Image => IMAGE,
                MediaKind::Document | MediaKind::Other => bytes.div_ceil(DOCUMENT_BYTES_PER_TOKEN),
                MediaKind::Sound => bytes.div_ceil(SOUND_BYTES_PER_TOKEN),
            }
        }
        Part::Finish(_) | Part::Unknown(_) => 0,
    }
}

/// What the next request will hold at least after a call: all that it read, and its answer. `None` when the provider
/// did not count.
pub(crate) fn counted(usage: &Usage) -> Option<u64> {
    let read = [usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens];
    let read = read.into_iter().fold(0, u64::saturating_add);
    (read > 0).then(|| read.saturating_add(usage.output_tokens))
}

/// The size of the context now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) tokens: u64,
    /// Whether any part of it is an estimate.
    pub(crate) estimated: bool,
}

/// Keeps the size of a context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    /// What the provider counted, and what was estimated for the messages at that moment.
    counted: Option<(u64, u64)>,
    /// The estimate for all messages.
    messages: u64,
    /// The estimate for what is sent beside the messages.
    frame: u64,
    /// Whether the count was lowered by an estimate.
    lowered: bool,
}

impl Meter {
    /// A meter for messages of which the first `known` ones were counted by the provider.
    pub(crate) fn of(messages: &[Message], counted: Option<(u64, usize)>) -> Self {
        let known = |count: usize| of_messages(messages.iter().take(count));
        Self {
            counted: counted.map(|(tokens, count)| (tokens, known(count))),
            messages: of_messages(messages),
            ..Self::default()
        }
    }

    /// What is sent beside the messages.
    pub(crate) fn set_frame(&mut self, frame: u64) {
        self.frame = frame;
    }

    /// A message joined the context.
    pub(crate) fn add(&mut self, message: &Message) {
        self.messages = self.messages.saturating_add(of_message(message));
    }

    /// The provider told the size; `None` when it did not count.
    pub(crate) fn count(&mut self, counted: Option<u64>) {
        if let Some(tokens) = counted {
            self.counted = Some((tokens, self.messages));
            self.lowered = false;
        }
    }

    /// Other messages stand for those of before.
    pub(crate) fn replace<'a>(&mut self, messages: impl IntoIterator<Item = &'a Message>) {
        let left = of_messages(messages);
        let size = self.size().tokens;
        let removed = self.messages.saturating_sub(left);
        if self.counted.is_some() {
            self.counted = Some((size.saturating_sub(removed).max(left), left));
            self.lowered = true;
        }
        self.messages = left;
    }

    /// The size now.
    pub(crate) fn size(&self) -> Size {
        match self.counted {
            Some((tokens, messages)) => Size {
                tokens: tokens.saturating_add(self.messages.saturating_sub(messages)),
                estimated: self.lowered || self.messages != messages,
            },
            None => {
                let tokens = self.messages.saturating_add(self.frame);
                Size { tokens, estimated: tokens > 0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kit_protocol::{ImagePart, Role};

    use super::*;

    fn text(bytes: usize) -> Message {
        Message::text(Role::User, "x".repeat(bytes))
    }

    fn size(tokens: u64, estimated: bool) -> Size {
        Size { tokens, estimated }
    }

    #[test]
    fn what_the_provider_counted_is_no_estimate_until_more_is_said() {
        let mut meter = Meter::default();
        assert_eq!(meter.size(), size(0, false));
        meter.set_frame(100);
        meter.add(&text(40));
        assert_eq!(meter.size(), size(110, true));
        meter.count(Some(500));
        assert_eq!(meter.size(), size(500, false));
        meter.add(&text(40));
        assert_eq!(meter.size(), size(510, true));
        meter.count(None);
        assert_eq!(meter.size(), size(510, true));
    }

    #[test]
    fn a_compaction_lowers_the_count_by_what_it_removed_and_not_below_what_is_left() {
        let (large, small) = (text(4000), text(400));
        let mut meter = Meter::of(&[large.clone(), small.clone()], Some((1500, 2)));
        meter.replace([&small]);
        assert_eq!(meter.size(), size(500, true));
        let mut meter = Meter::of(&[large, small.clone()], Some((900, 2)));
        meter.replace([&small]);
        assert_eq!(meter.size(), size(100, true));
    }

    #[test]
    fn messages_behind_the_counted_ones_are_estimated() {
        let messages = [text(400), text(40)];
        assert_eq!(Meter::of(&messages, Some((1000, 1))).size(), size(1010, true));
        assert_eq!(Meter::of(&messages, Some((1000, 2))).size(), size(1000, false));
        assert_eq!(Meter::of(&messages, None).size(), size(110, true));
    }

    #[test]
    fn media_count_by_what_they_are() {
        let media = |media_type: &str| Message {
            role: Role::User,
            parts: vec![Part::Image(ImagePart { data: "x".repeat(64_000), media_type: media_type.into() })],
        };
        let kinds = ["image/png", "application/pdf", "audio/wav"];
        assert_eq!(kinds.map(|kind| of_message(&media(kind))), [1600, 2000, 100]);
    }
}
