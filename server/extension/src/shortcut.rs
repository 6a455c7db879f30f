//! Keys that extensions want to be bound. Editors bind them and run them by `kit.extension.shortcut`.

use std::sync::Arc;

use kit_contract::{CommandAnswer, ShortcutInvocation};
use kit_protocol::{ErrorKind, ExtensionShortcutAnswer, ExtensionShortcutArguments, KitError};

use crate::command::refused;
use crate::extensions::Extensions;

impl Extensions {
    /// `kit.extension.shortcut`: of several that have the key the last registered runs.
    pub async fn press(
        self: &Arc<Self>,
        arguments: ExtensionShortcutArguments,
    ) -> Result<ExtensionShortcutAnswer, KitError> {
        let ExtensionShortcutArguments { key, session } = arguments;
        let wanted = normalized(&key);
        let generation = self.generation();
        let found = generation.running().rev().find_map(|extension| {
            let shortcuts = &extension.registration.shortcuts;
            let shortcut = shortcuts.iter().rfind(|shortcut| normalized(&shortcut.key) == wanted)?;
            Some((extension, shortcut))
        });
        let (extension, shortcut) = found.ok_or_else(|| self.no_shortcut(&wanted))?;
        let session = session.or_else(|| self.current_session());
        if let Some(session) = &session {
            extension.caller.hears_of(session);
            self.bind(session).await;
        }
        let input = ShortcutInvocation { context: self.context(session.as_ref()) };
        let answer: Option<CommandAnswer> = extension
            .invoke("shortcut", &shortcut.key, &input)
            .await
            .map_err(|fault| refused(&extension.name, "shortcut", &shortcut.key, &fault))?;
        Ok(ExtensionShortcutAnswer { output: answer.and_then(|answer| answer.output) })
    }

    fn no_shortcut(&self, key: &str) -> KitError {
        let generation = self.generation();
        let known: Vec<String> = generation
            .running()
            .flat_map(|extension| &extension.registration.shortcuts)
            .map(|shortcut| normalized(&shortcut.key))
            .collect();
        let hint = if known.is_empty() {
            "; no extension has any".to_owned()
        } else {
            kit_session::near::hint(key, known.iter().map(String::as_str))
        };
        KitError::new(ErrorKind::NotFound, format!("no extension has the shortcut `{key}`{hint}"))
    }
}

/// The one spelling of a key: modifiers in a fixed order, then the key, in small letters.
pub(crate) fn normalized(key: &str) -> String {
    let text = key.trim().to_lowercase();
    // The plus itself may be the key.
    let (modifiers, last) = match text.strip_suffix('+') {
        Some(before) => (before.trim_end_matches('+'), "+"),
        None => text.rsplit_once('+').unwrap_or(("", &text)),
    };
    let mut held = [false; 4];
    let mut others = Vec::new();
    for modifier in modifiers.split('+').map(str::trim).filter(|modifier| !modifier.is_empty()) {
        match modifier {
            "ctrl" | "control" => held[0] = true,
            "alt" | "option" | "opt" => held[1] = true,
            "shift" => held[2] = true,
            "meta" | "cmd" | "command" | "super" | "win" => held[3] = true,
            other => others.push(other),
        }
    }
    let last = match last.trim() {
        "esc" => "escape",
        "return" => "enter",
        "pgup" => "pageup",
        "pgdn" | "pgdown" | "pagedn" => "pagedown",
        "del" => "delete",
        "ins" => "insert",
        other => other,
    };
    let names = ["ctrl", "alt", "shift", "meta"].into_iter().zip(held);
    let modifiers = names.filter(|(_, is_held)| *is_held).map(|(name, _)| name);
    modifiers.chain(others).chain([last]).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling() {
        let check = |written: &str, expected: &str| assert_eq!(normalized(written), expected, "{written}");
        check("ctrl+alt+p", "ctrl+alt+p");
        check(" Shift + Control+ P ", "ctrl+shift+p");
        check("cmd+Option+Return", "alt+meta+enter");
        check("F5", "f5");
        check("ctrl++", "ctrl++");
        check("+", "+");
        check("hyper+x", "hyper+x");
        check("Esc", "escape");
    }
}
