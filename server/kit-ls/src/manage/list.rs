//! `kit-ls extensions list`: what is found, what it registers, and what it may reach.

use kit_extension::{Grants, discover, own_events};

use super::inspect::{counts, engine, inspect};
use super::{Place, described, say};

/// Lists the extensions of this folder.
pub(super) async fn run(place: &Place) -> anyhow::Result<i32> {
    let folders = place.folders();
    let found = discover(&folders, &[]);
    let is_left_out = folders.len() == 1 && place.project().is_dir();
    if found.is_empty() && !is_left_out {
        let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        say(&format!("No extensions in {}.", looked.join(" or ")))?;
        say("`kit-ls extensions init` writes one to begin with.")?;
    }
    let engine = engine(place);
    let grants = Grants::new(&place.paths.config);
    for path in &found {
        let extension = match inspect(&engine, path).await {
            Ok(extension) => extension,
            Err(wrong) => {
                say(&format!("{}\n  does not load: {}", place.shown(path), wrong.line(place)))?;
                continue;
            }
        };
        let version = extension.registration.version.as_deref().map(|version| format!(" {version}"));
        let version = version.unwrap_or_default();
        say(&format!("{}{version}  ({})", extension.name(), place.shown(path)))?;
        if let Some(description) = &extension.registration.description {
            say(&format!("  {description}"))?;
        }
        let registration = &extension.registration;
        say(&format!("  {}", counts(registration)))?;
        let names = |names: Vec<&str>| names.join(", ");
        let rows = [
            ("events", names(own_events(registration).collect())),
            ("tools", names(registration.tools.iter().map(|tool| tool.name.as_str()).collect())),
            ("commands", names(registration.commands.iter().map(|command| command.name.as_str()).collect())),
        ];
        for (what, names) in rows.iter().filter(|(_, names)| !names.is_empty()) {
            say(&format!("  {what}: {names}"))?;
        }
        let asks = extension.asks();
        if !asks.is_empty() {
            let state = match grants.find(&extension.source.path, &extension.source.hash) {
                Some(granted) if granted == asks => "granted",
                Some(granted) if granted.is_empty() => "refused",
                Some(_) => "granted in part",
                None => "not granted yet: `kit-ls extensions grant`",
            };
            say(&format!("  asks: {} ({state})", described(&asks).join("; ")))?;
        }
    }
    if is_left_out {
        say(
            "The extensions of this folder do not load, because it is not trusted; trust it in your editor, where Kit asks.",
        )?;
    }
    Ok(0)
}
