//! Conversions between LSP types and ours, both directions.

use std::path::PathBuf;

use kit_text::{Edit, Encoding, Position, Text};
use kit_workspace::{DocumentUri, Root};
use tower_lsp::lsp_types as lsp;

/// Chooses the position encoding: UTF-16, which nearly every other server of the same editor uses as well, unless
/// the client offers only others.
pub(crate) fn negotiate(capabilities: &lsp::ClientCapabilities) -> Encoding {
    let offered = capabilities.general.as_ref().and_then(|general| general.position_encodings.as_deref());
    match offered {
        Some(offered)
            if !offered.contains(&lsp::PositionEncodingKind::UTF16)
                && offered.contains(&lsp::PositionEncodingKind::UTF8) =>
        {
            Encoding::Utf8
        }
        Some(_) | None => Encoding::Utf16,
    }
}

/// The word for an encoding.
pub(crate) fn encoding_kind(encoding: Encoding) -> lsp::PositionEncodingKind {
    match encoding {
        Encoding::Utf8 => lsp::PositionEncodingKind::UTF8,
        Encoding::Utf16 => lsp::PositionEncodingKind::UTF16,
    }
}

/// Our position for one of LSP.
pub(crate) fn from_position(position: lsp::Position) -> Position {
    Position::new(position.line, position.character)
}

/// LSP's position for one of ours.
pub(crate) fn to_position(position: Position) -> lsp::Position {
    lsp::Position { line: position.line, character: position.character }
}

/// LSP's text edit for one of ours, whose offsets are into `base`.
pub(crate) fn to_text_edit(edit: &Edit, base: &Text, encoding: Encoding) -> lsp::TextEdit {
    lsp::TextEdit {
        range: lsp::Range {
            start: to_position(base.position_of(edit.range.start, encoding)),
            end: to_position(base.position_of(edit.range.end, encoding)),
        },
        new_text: edit.text.clone(),
    }
}

/// LSP's URI for one of ours; `None` if it cannot be parsed as a URL.
pub(crate) fn to_url(uri: &DocumentUri) -> Option<lsp::Url> {
    lsp::Url::parse(uri.as_str()).ok()
}

/// A workspace folder as a root; `None` when it is no file path.
pub(crate) fn root(folder: &lsp::WorkspaceFolder) -> Option<Root> {
    let path = DocumentUri::parse(folder.uri.as_str()).to_path()?;
    // Some editors give the whole path for a name.
    let is_path = folder.name.is_empty() || folder.name.contains(std::path::is_separator);
    Some(if is_path { Root::new(path) } else { Root::named(path, folder.name.clone()) })
}

/// The roots of the handshake: folders, else the root URI, else the root path.
pub(crate) fn roots(params: &lsp::InitializeParams) -> Vec<Root> {
    let folders: Vec<Root> = params.workspace_folders.iter().flatten().filter_map(root).collect();
    if !folders.is_empty() {
        return folders;
    }
    let from_uri = params.root_uri.as_ref().and_then(|uri| DocumentUri::parse(uri.as_str()).to_path());
    #[expect(deprecated, reason = "older clients send nothing else")]
    let from_path = params.root_path.as_ref().map(PathBuf::from);
    from_uri.or(from_path).map(Root::new).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_named_as_the_editor_does_unless_that_is_its_path() {
        let name_of = |name: &str| {
            let uri = lsp::Url::parse("file:///home/me/project").unwrap();
            root(&lsp::WorkspaceFolder { uri, name: name.to_owned() }).unwrap().name
        };
        assert_eq!(name_of("client"), "client");
        assert_eq!(name_of("/home/me/project"), "project");
        assert_eq!(name_of(""), "project");
    }
}
