//! `kit-ls extensions grant`: what an extension asks for, and the user's decision.

use std::path::Path;

use anyhow::bail;
use kit_contract::Permissions;
use kit_extension::{Grant, Grants, discover, name_of};

use super::inspect::{Inspected, engine, inspect};
use super::{Place, answer, described, say};

/// Shows what an extension asks for, and stores the decision.
pub(super) async fn run(place: &Place, extension: &str, yes: bool, refuse: bool) -> anyhow::Result<i32> {
    let found = discover(&[place.own(), place.project()], &[]);
    let file = place.cwd.join(extension);
    let path = found.iter().find(|path| name_of(path) == extension || **path == file).cloned();
    let Some(path) = path.or_else(|| discover(&[], &[file]).into_iter().find(|path| path.is_file())) else {
        let names: Vec<String> = found.iter().map(|path| name_of(path)).collect();
        match names.is_empty() {
            true => bail!("there is no extension {extension}; there are none here"),
            false => bail!("there is no extension {extension}; there are {}", names.join(", ")),
        }
    };
    let inspected = match inspect(&engine(place), &path).await {
        Ok(inspected) => inspected,
        Err(wrong) => bail!("{}", wrong.line(place)),
    };
    let asks = inspected.asks();
    if asks.is_empty() {
        say(&format!("{} asks for nothing.", inspected.name()))?;
        return Ok(0);
    }
    show(&inspected)?;
    let decided = match (yes, refuse) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        (false, false) => answer("Grant it, until the extension changes? [y/n]")?,
    };
    let Some(granted) = decided else {
        say("Nothing was decided.")?;
        return Ok(1);
    };
    let permissions = if granted { asks } else { Permissions::default() };
    store(place, &path, &inspected, permissions)?;
    say(if granted { "Granted." } else { "Refused." })?;
    Ok(0)
}

/// Prints what an extension asks for.
pub(super) fn show(extension: &Inspected) -> anyhow::Result<()> {
    let asks = described(&extension.asks());
    if asks.is_empty() {
        return say(&format!("{} asks for nothing.", extension.name()));
    }
    say(&format!("{} asks for:", extension.name()))?;
    asks.iter().try_for_each(|line| say(&format!("  {line}")))
}

/// Stores a decision about an extension at a path.
pub(super) fn store(
    place: &Place,
    path: &Path,
    extension: &Inspected,
    permissions: Permissions,
) -> anyhow::Result<()> {
    let grants = Grants::new(&place.paths.config);
    Ok(grants.store(path, Grant { hash: Some(extension.source.hash.clone()), permissions })?)
}
