//! The blocks of a prompt as what the sessions understand: the text, files by their address, and what came along as it is.
//!
//! Text blocks are joined by line ends. A link to a file of a folder that is open is attached like any other file, unsaved
//! text included; any other link is named in the text. An embedded text is what the client shows, so it is taken as it is.

use agent_client_protocol_schema::v1::{ContentBlock, EmbeddedResourceResource};
use kit_protocol::{ImagePart, KitError};
use kit_session::Enclosure;
use kit_workspace::{DocumentUri, Workspace};

use crate::error::invalid;

/// What a prompt without any text says.
const FILES_ONLY: &str = "Look at what is attached.";
const PDF: &str = "application/pdf";

/// A prompt's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) attachments: Vec<String>,
    pub(crate) enclosures: Vec<Enclosure>,
}

/// Reads the blocks of a prompt.
pub(crate) fn read(blocks: Vec<ContentBlock>, workspace: &Workspace) -> Result<Content, KitError> {
    let mut content = Content::default();
    let mut texts: Vec<String> = Vec::new();
    for block in blocks {
        match block {
            ContentBlock::Text(text) => texts.push(text.text),
            ContentBlock::Image(image) => {
                let part = ImagePart { data: image.data, media_type: image.mime_type };
                content.enclosures.push(Enclosure::Media(part));
            }
            ContentBlock::ResourceLink(link) => match attached(&link.uri, workspace) {
                Some(uri) => content.attachments.push(uri),
                None => texts.push(format!("[{}]({})", link.name, link.uri)),
            },
            ContentBlock::Resource(embedded) => match embedded.resource {
                EmbeddedResourceResource::TextResourceContents(resource) => {
                    let name = shown_name(&resource.uri);
                    content.enclosures.push(Enclosure::Text { name, text: resource.text });
                }
                EmbeddedResourceResource::BlobResourceContents(resource) => {
                    let media_type = resource.mime_type.unwrap_or_default();
                    if media_type.starts_with("image/") || media_type == PDF {
                        let part = ImagePart { data: resource.blob, media_type };
                        content.enclosures.push(Enclosure::Media(part));
                    } else {
                        return Err(invalid(format!(
                            "the resource {} cannot be attached: {} is neither text nor an image nor a PDF",
                            resource.uri,
                            if media_type.is_empty() { "its type, which is not named," } else { &media_type },
                        )));
                    }
                }
                other => return Err(unknown(&other)),
            },
            ContentBlock::Audio(_) => {
                return Err(invalid("audio is not taken; send text, images, resources or links"));
            }
            other => return Err(unknown(&other)),
        }
    }
    content.text = texts.join("\n");
    if content.text.trim().is_empty() {
        if content.attachments.is_empty() && content.enclosures.is_empty() {
            return Err(invalid("the prompt is empty: it must say or attach something"));
        }
        FILES_ONLY.clone_into(&mut content.text);
    }
    Ok(content)
}

fn unknown(block: &impl std::fmt::Debug) -> KitError {
    let shown: String = format!("{block:?}").chars().take(60).collect();
    invalid(format!("a block of the prompt is of an unknown kind: {shown}"))
}

/// The address of a file that lies in an open folder and is there.
fn attached(uri: &str, workspace: &Workspace) -> Option<String> {
    let path = DocumentUri::parse(uri).to_path()?;
    let location = workspace.locate(&DocumentUri::from_path(&path)).ok()?;
    let is_there = path.exists() || workspace.documents().get(&location.uri).is_some();
    (location.inside && is_there).then(|| location.uri.as_str().to_owned())
}

/// What the model reads as the name of a resource.
fn shown_name(uri: &str) -> String {
    let path = DocumentUri::parse(uri).to_path();
    path.map_or_else(|| uri.replace('"', "'"), |path| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kit_protocol::ErrorKind;
    use kit_text::Text;
    use kit_workspace::{Change, ChangeObserver, DiskEditor, Documents, Root};
    use serde_json::{Value, json};

    use super::*;

    struct Nobody;

    impl ChangeObserver for Nobody {
        fn changed(&self, _change: Change) {}
        fn opened(&self, _uri: &DocumentUri, _text: &Text, _version: i32) {}
        fn closed(&self, _uri: &DocumentUri) {}
    }

    fn reading(folder: &std::path::Path, blocks: Value) -> Result<Content, KitError> {
        let documents = Arc::new(Documents::new());
        let workspace =
            Workspace::new(vec![Root::new(folder)], documents, Arc::new(DiskEditor), Arc::new(Nobody));
        read(serde_json::from_value(blocks).unwrap(), &workspace)
    }

    #[test]
    fn every_kind_of_content_has_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        std::fs::write(&file, "x").unwrap();
        let uri = DocumentUri::from_path(&file).as_str().to_owned();
        let content = reading(
            folder.path(),
            json!([
                {"type": "text", "text": "look"},
                {"type": "image", "data": "AA==", "mimeType": "image/png"},
                {"type": "resource_link", "name": "a", "uri": uri},
                {"type": "resource_link", "name": "page", "uri": "https://example.org/"},
                {"type": "resource_link", "name": "gone", "uri": "file:///nowhere/b.rs"},
                {"type": "resource", "resource": {"uri": "file:///w/c.rs", "text": "unsaved"}},
                {"type": "resource", "resource": {"uri": "file:///w/d.pdf", "blob": "AA==", "mimeType": "application/pdf"}},
            ]),
        );
        let media = |media_type: &str| {
            Enclosure::Media(ImagePart { data: "AA==".into(), media_type: media_type.into() })
        };
        let expected = Content {
            text: "look\n[page](https://example.org/)\n[gone](file:///nowhere/b.rs)".into(),
            attachments: vec![uri],
            enclosures: vec![
                media("image/png"),
                Enclosure::Text { name: "/w/c.rs".into(), text: "unsaved".into() },
                media("application/pdf"),
            ],
        };
        assert_eq!(content.unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |blocks| {
            let error = reading(folder.path(), blocks).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidRequest);
            error.message
        };
        assert!(refused(json!([])).contains("empty"));
        assert!(refused(json!([{"type": "text", "text": " "}])).contains("empty"));
        assert!(
            refused(json!([{"type": "audio", "data": "AA==", "mimeType": "audio/wav"}])).contains("audio")
        );
        let blob =
            json!([{"type": "resource", "resource": {"uri": "x:y", "blob": "AA==", "mimeType": "a/b"}}]);
        assert!(refused(blob).contains("x:y cannot be attached: a/b"));
        let lone = json!([{"type": "image", "data": "AA==", "mimeType": "image/png"}]);
        assert_eq!(reading(folder.path(), lone).unwrap().text, FILES_ONLY);
    }
}
