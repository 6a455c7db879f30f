//! Recognizes that a conversation is larger than the context window. It is the one failure that providers report in
//! prose only, so here, and nowhere else, the text of an error decides.

/// Fragments that must occur in this order, in lower case; `#` stands for a digit right after the fragment before.
const PATTERNS: &[&[&str]] = &[
    &["prompt is too long"],
    &["prompt too long"],
    &["prompt exceeds max length"],
    &["request_too_large"],
    &["input is too long for requested model"],
    &["exceeds the context window"],
    &["context length exceeded"],
    &["context_length_exceeded"],
    &["maximum context length"],
    &["context window exceeded"],
    &["context window exceeds limit"],
    &["input token count", "exceeds the maximum"],
    &["maximum prompt length is ", "#"],
    &["reduce the length of the messages"],
    &["exceeds the limit of ", "#"],
    &["exceeds the available context size"],
    &["exceed_context_size_error"],
    &["greater than the context length"],
    &["exceeds the context length"],
    &["exceeded model token limit"],
    &["too large for model with ", "#", " maximum context length"],
    &["longer than the model's context length"],
    &["longer than the models context length"],
    &["range of input length should be"],
];
/// Texts that mean the same unless they are about a rate.
const AMBIGUOUS: &[&str] = &["too many tokens", "token limit exceeded"];
const RATES: &[&str] = &["rate limit", "too many requests", "throttl"];

/// Whether the text of an error says that the conversation is too large.
pub(crate) fn is_overflow(text: &str) -> bool {
    let text = text.to_lowercase();
    let ambiguous = AMBIGUOUS.iter().any(|fragment| text.contains(fragment));
    PATTERNS.iter().any(|pattern| matches(&text, pattern))
        || (ambiguous && !RATES.iter().any(|fragment| text.contains(fragment)))
}

fn matches(text: &str, pattern: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return true };
    if *first == "#" {
        let digits = text.trim_start_matches(|character: char| character.is_ascii_digit());
        return digits.len() < text.len() && matches(digits, rest);
    }
    let mut from = text;
    while let Some((_, after)) = from.split_once(first) {
        if matches(after, rest) {
            return true;
        }
        from = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_what_providers_say() {
        let texts = [
            "prompt is too long: 210000 tokens > 200000 maximum",
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "request (36020 tokens) exceeds the available context size (8192 tokens), try increasing it",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "prompt token count of 130000 exceeds the limit of 128000",
            "the number of tokens to keep from the initial prompt is greater than the context length",
            "too large for model with 32768 maximum context length",
            "too many tokens in the prompt",
            "the input length exceeds the context length",
        ];
        assert_eq!(texts.map(is_overflow), [true; 10]);
    }

    #[test]
    fn other_limits_are_no_overflow() {
        let texts = [
            "Rate limit reached: too many tokens per minute",
            "Request was throttled: token limit exceeded",
            "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens",
            "Your usage exceeds the limit of your plan",
            "",
        ];
        assert_eq!(texts.map(is_overflow), [false; 5]);
    }
}
