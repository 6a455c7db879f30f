//! Reasoning that a server leaves in the text as `<think>…</think>`, taken out again.
//!
//! Only a tag at the very start of the answer counts, and only while the server sent no reasoning field: everywhere
//! else the tag is text that someone wrote about. Tags may be split over deltas.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A piece of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Reasoning(String),
}

/// Where in the answer the next text is.
#[derive(Debug)]
pub(super) enum ThinkTag {
    /// The text so far may still become the opening tag.
    Start(String),
    /// Inside; the text may be the beginning of the closing tag.
    Inside(String),
    /// Right after the closing tag, where line feeds are only layout.
    Gap,
    /// Text to the end.
    Outside,
}

impl Default for ThinkTag {
    fn default() -> Self {
        Self::Start(String::new())
    }
}

impl ThinkTag {
    /// The server has a field for reasoning, so tags are text.
    pub(super) fn disable(&mut self) {
        if let Self::Start(held) = self
            && held.is_empty()
        {
            *self = Self::Outside;
        }
    }

    /// Takes text and returns the pieces that are certain.
    pub(super) fn push(&mut self, text: &str) -> Vec<Piece> {
        if text.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Outside => vec![Piece::Text(text.to_owned())],
            Self::Gap => {
                let text = text.trim_start_matches('\n');
                if text.is_empty() {
                    return Vec::new();
                }
                *self = Self::Outside;
                vec![Piece::Text(text.to_owned())]
            }
            Self::Start(held) => {
                held.push_str(text);
                let begun = held.trim_start();
                if let Some(rest) = begun.strip_prefix(OPEN).map(str::to_owned) {
                    *self = Self::Inside(String::new());
                    return self.push(rest.trim_start_matches('\n'));
                }
                if OPEN.starts_with(begun) {
                    return Vec::new();
                }
                let text = std::mem::take(held);
                *self = Self::Outside;
                vec![Piece::Text(text)]
            }
            Self::Inside(held) => {
                held.push_str(text);
                if let Some((reasoning, rest)) = held.split_once(CLOSE) {
                    let (reasoning, rest) = (reasoning.to_owned(), rest.to_owned());
                    *self = Self::Gap;
                    let mut pieces = vec![Piece::Reasoning(reasoning)];
                    pieces.extend(self.push(&rest));
                    return pieces;
                }
                let kept = (1..CLOSE.len())
                    .rev()
                    .find(|length| CLOSE.get(..*length).is_some_and(|tag| held.ends_with(tag)));
                let rest = held.split_off(held.len() - kept.unwrap_or(0));
                vec![Piece::Reasoning(std::mem::replace(held, rest))]
            }
        }
    }

    /// What was held back when the answer ended.
    pub(super) fn finish(&mut self) -> Vec<Piece> {
        match std::mem::replace(self, Self::Outside) {
            Self::Start(held) => vec![Piece::Text(held)],
            Self::Inside(held) => vec![Piece::Reasoning(held)],
            Self::Gap | Self::Outside => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, reasoning: &str, answer: &str) {
        for size in 1..=text.len() {
            let mut tag = ThinkTag::default();
            let characters: Vec<char> = text.chars().collect();
            let mut pieces: Vec<Piece> = characters
                .chunks(size)
                .flat_map(|chunk| tag.push(&chunk.iter().collect::<String>()))
                .collect();
            pieces.extend(tag.finish());
            let mut joined = (String::new(), String::new());
            for piece in pieces {
                match piece {
                    Piece::Reasoning(text) => joined.0.push_str(&text),
                    Piece::Text(text) => joined.1.push_str(&text),
                }
            }
            assert_eq!((joined.0.as_str(), joined.1.as_str()), (reasoning, answer), "{size}: {text}");
        }
    }

    #[test]
    fn a_tag_at_the_start_is_reasoning() {
        check("<think>hm < 3</think>yes", "hm < 3", "yes");
        check("\n<think>never closed", "never closed", "");
        check("<think></think>\n\nyes", "", "yes");
    }

    #[test]
    fn a_tag_elsewhere_is_text() {
        check("Use <think>a</think>.", "", "Use <think>a</think>.");
        check("<thin", "", "<thin");
        check("<thinking>", "", "<thinking>");
    }

    #[test]
    fn a_reasoning_field_turns_tags_into_text() {
        let mut tag = ThinkTag::default();
        tag.disable();
        assert_eq!(tag.push("<think>a"), [Piece::Text("<think>a".into())]);
    }
}
