//! Chooses what a compaction of the current branch replaces and what the summary is made from.

use kit_protocol::{Message, Part, Role, TextPart};

use super::material::Files;
use super::summary::Material;
use super::{Limits, cut, cut_turn, deepest_cut};
use crate::conversation;
use crate::history::{EntryIndex, History};
use crate::journal::entry::Body;
use crate::journal::read::Lines;

/// How much is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// All but the last messages, and nothing when they are not many.
    Usual,
    /// The same, or all but the last message where that would replace nothing.
    Something,
}

/// What a compaction does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The first entry that stays.
    pub(crate) first_kept: EntryIndex,
    /// How many messages are replaced.
    pub(crate) removed: usize,
    /// The messages that stay.
    pub(crate) kept: Vec<Message>,
    /// What the summary is made from.
    pub(crate) material: Material,
    /// The files of all messages that this and earlier compactions replaced.
    pub(crate) files: Files,
}

impl Plan {
    /// Plans the compaction of the current branch; `None` when there is too little to replace.
    pub(crate) fn new(history: &History, lines: &Lines, limits: Limits, depth: Depth) -> Option<Self> {
        let mut entries = conversation::entries(history, lines);
        let read = |index: EntryIndex| history.get(index).map(|record| Body::parse(&lines.get(record.span)));
        let (mut files, mut previous) = (Files::default(), None);
        if let Some(Body::Compaction { summary, read_files, modified_files, .. }) =
            entries.first().and_then(|(index, _)| read(*index))
        {
            entries.remove(0);
            previous = Some(summary);
            files.read.extend(read_files);
            files.modified.extend(modified_files);
        }
        let (indices, messages): (Vec<EntryIndex>, Vec<Message>) = entries.into_iter().unzip();
        let deepest = || if depth == Depth::Something { deepest_cut(&messages) } else { None };
        let at = cut(&messages, limits.keep).or_else(deepest)?;
        let first_kept = *indices.get(at)?;
        let begin = cut_turn(&messages, at).unwrap_or(at);
        let part = |from: usize, to: usize| messages.get(from..to).unwrap_or_default().to_vec();
        files.add(&part(0, at));
        Some(Self {
            first_kept,
            removed: at,
            kept: part(at, messages.len()),
            material: Material { messages: part(0, begin), current: part(begin, at), previous, focus: None },
            files,
        })
    }
}

/// The messages that follow a compaction, as the model reads them.
pub(crate) fn compacted(summary: &str, kept: &[Message]) -> Vec<Message> {
    let first = Message::text(Role::User, conversation::summary_text(summary));
    std::iter::once(first).chain(kept.iter().cloned()).collect()
}

/// Whether messages hold images or documents.
pub(crate) fn has_media(messages: &[Message]) -> bool {
    messages.iter().flat_map(|message| &message.parts).any(|part| matches!(part, Part::Image(_)))
}

/// Puts a word in the place of images and documents; those of a result of a tool are named in the result.
pub(crate) fn without_media(message: &mut Message) {
    let mut parts: Vec<Part> = Vec::with_capacity(message.parts.len());
    for part in std::mem::take(&mut message.parts) {
        let Part::Image(image) = part else {
            parts.push(part);
            continue;
        };
        let text = format!("[attachment \"{}\" removed after context overflow]", image.media_type);
        if let Some(Part::ToolResult(result)) = parts.last_mut() {
            result.content.push('\n');
            result.content.push_str(&text);
        } else {
            parts.push(Part::Text(TextPart { text }));
        }
    }
    message.parts = parts;
}

#[cfg(test)]
mod tests {
    use kit_protocol::{ImagePart, ToolResultPart};

    use super::*;

    #[test]
    fn media_that_are_left_out_are_named_where_they_stood() {
        let image = || Part::Image(ImagePart { data: "AA==".into(), media_type: "image/png".into() });
        let result = |content: &str| {
            Part::ToolResult(ToolResultPart {
                tool_call_id: "c".into(),
                name: "read".into(),
                content: content.into(),
                is_error: false,
            })
        };
        let mut message = Message { role: Role::Tool, parts: vec![result("x"), image(), image()] };
        without_media(&mut message);
        let note = "[attachment \"image/png\" removed after context overflow]";
        assert_eq!(message.parts, [result(&format!("x\n{note}\n{note}"))]);
        let mut message = Message { role: Role::User, parts: vec![image()] };
        without_media(&mut message);
        assert_eq!(message.parts, [Part::Text(TextPart { text: note.into() })]);
    }
}
