//! The table of events and methods in the author's guide of extensions, written between two marks.

use std::fmt::Write;

use anyhow::{Context, Result};
use kit_contract::{Door, EVENTS, METHODS, Part, Permit};

const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- /generated -->";

/// The guide with the current table.
pub(super) fn update(guide: &str) -> Result<String> {
    let (before, rest) = guide.split_once(BEGIN).context("the guide has no mark for its table")?;
    let (_, after) = rest.split_once(END).context("the guide has no mark for the end of its table")?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", table()))
}

fn table() -> String {
    let mut text = String::from("### Events\n\n| `kit.on(…)` | The turn | |\n|---|---|---|\n");
    for event in EVENTS {
        let part = match event.part {
            Part::Intercepts => "waits",
            Part::Observes => "goes on",
        };
        let _ = writeln!(text, "| `{}` | {part} | {} |", event.name, event.description);
    }
    text.push_str(
        "| `custom:NAME` | goes on | An event that an extension sent; `kit.onCustomEvent` handles it. |\n",
    );
    text.push_str("\n### Methods\n\n| `ctx.…` | Answers | Permission | |\n|---|---|---|---|\n");
    for method in METHODS {
        let answers = match method.door {
            Door::Notify => "–",
            Door::Get => "at once",
            Door::Call => "`await`",
        };
        let permit = match method.permit {
            Permit::Free => "",
            Permit::Http => "`http`",
            Permit::Exec => "`exec`",
            Permit::Read => "`fs.read`",
            Permit::Write => "`fs.write`",
            Permit::Environment => "`env`",
        };
        let arguments = method.arguments.join(", ");
        // A bar would end the cell.
        let description = method.description.replace('|', "\\|");
        let _ = writeln!(text, "| `{}({arguments})` | {answers} | {permit} | {description} |", method.name);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let updated = update("a\n<!-- generated -->\nold\n<!-- /generated -->\nb\n").unwrap();
        assert!(updated.starts_with("a\n<!-- generated -->\n### Events"));
        assert!(updated.ends_with("<!-- /generated -->\nb\n"));
        assert!(updated.contains("| `tool_call` | waits |") && !updated.contains("\nold\n"));
        assert!(update("no marks").is_err());
    }
}
