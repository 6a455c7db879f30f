//! Makes a user message of a prompt: the user's own text first, then a block with what the user had selected, open,
//! attached or mentioned. The text comes from the open documents, so that unsaved text counts, and every piece has a cap
//! and says how much was cut (I20). A piece that cannot be read is named with its reason; what the user attached by
//! itself and cannot be attached is an error, because the prompt would not be the one that was meant.

mod gathered;
mod invocation;
mod mentioned;
mod pieces;
mod references;

use std::path::{Path, PathBuf};

use kit_protocol::{ContextItem, ErrorKind, ImagePart, KitError, Part, TextPart};
use kit_text::Encoding;
use kit_tools::media::{self, MediaError};
use kit_workspace::{Location, Workspace};

pub(crate) use self::invocation::{
    Invocation, MCP, SKILL, named_skill, read as invocation_in, spelled, unknown,
};
use self::pieces::Block;
pub(crate) use self::references::{Asker, Fetched, Renewal, Wanted, fetch};
use crate::dependencies::Shared;
use crate::mentions;
use crate::reference::Reference;

/// Something that came along with a prompt as it is, and not by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enclosure {
    /// A text of somebody else, under a name.
    Text {
        /// What it is called, such as its address.
        name: String,
        /// The text.
        text: String,
    },
    /// An image or PDF.
    Media(ImagePart),
}

/// A prompt as it came.
pub(crate) struct Draft {
    pub(crate) text: String,
    /// A template or skill that was run by its name; the text is then shown and may be empty.
    pub(crate) invocation: Option<Invocation>,
    pub(crate) context: Vec<ContextItem>,
    pub(crate) attachments: Vec<String>,
    pub(crate) enclosures: Vec<Enclosure>,
    /// Of the ranges in `context`.
    pub(crate) encoding: Encoding,
    /// The session's folder.
    pub(crate) cwd: PathBuf,
    /// The model that will answer, as far as it is known; for conditions of templates.
    pub(crate) model: String,
}

/// What comes behind the text.
#[derive(Default)]
struct Gathering {
    block: Block,
    media: Vec<ImagePart>,
    references: Vec<Reference>,
}

/// A prompt as its session gets it.
pub(crate) struct Composed {
    /// The message; the user's text is its first part.
    pub(crate) parts: Vec<Part>,
    /// What it refers to, which is fetched within the turn.
    pub(crate) references: Vec<Reference>,
}

impl Gathering {
    /// Takes a file that is an image or PDF; whether it is one.
    async fn medium(&mut self, workspace: &Workspace, location: &Location) -> Result<bool, MediaError> {
        let Some(part) = media::of_file(workspace, location).await? else { return Ok(false) };
        if self.media.len() >= media::MOST {
            return Err(MediaError::TooMany);
        }
        self.media.push(part);
        Ok(true)
    }
}

/// Makes the message.
pub(crate) async fn compose(shared: &Shared, draft: Draft) -> Result<Composed, KitError> {
    let Draft { text, invocation, context, attachments, enclosures, encoding, cwd, model } = draft;
    if text.trim().is_empty() && attachments.is_empty() && enclosures.is_empty() && invocation.is_none() {
        return Err(KitError::new(
            ErrorKind::InvalidRequest,
            "the prompt is empty: `text` must say something",
        ));
    }
    let expanded = invocation::expand(shared, &cwd, text, invocation, &model).await?;
    let mut gathering = given(&shared.with.workspace, &cwd, &context, &attachments, encoding).await?;
    enclose(enclosures, &mut gathering)?;
    // What stands behind a command is for whoever has it.
    let mentions = match &expanded.command {
        Some(_) => Vec::new(),
        None => mentions::mentions(&expanded.text),
    };
    mentioned::add(shared, &cwd, &mentions, &context, &mut gathering).await;
    let mut parts = vec![Part::Text(TextPart { text: expanded.text })];
    let blocks = expanded.block.into_iter().chain(gathering.block.finish());
    parts.extend(blocks.map(|text| Part::Text(TextPart { text })));
    parts.extend(gathering.media.into_iter().map(Part::Image));
    let command = expanded.command.map(Reference::Command);
    Ok(Composed { parts, references: command.into_iter().chain(gathering.references).collect() })
}

/// What the client sent with the prompt.
async fn given(
    workspace: &Workspace,
    cwd: &Path,
    context: &[ContextItem],
    attachments: &[String],
    encoding: Encoding,
) -> Result<Gathering, KitError> {
    let mut gathering = Gathering::default();
    for item in context {
        gathering.block.add(pieces::piece(workspace, cwd, &item.uri, item.range, encoding).await);
    }
    attach(workspace, cwd, attachments, &mut gathering).await?;
    Ok(gathering)
}

/// Adds what came along.
fn enclose(enclosures: Vec<Enclosure>, gathering: &mut Gathering) -> Result<(), KitError> {
    for enclosure in enclosures {
        match enclosure {
            Enclosure::Text { name, text } => gathering.block.add(pieces::resource(&name, &text)),
            Enclosure::Media(part) => {
                let found = media::of_prompt(&part.data, gathering.media.len()).map_err(|error| {
                    let sentence = format!("the {} cannot be attached: {error}", part.media_type);
                    KitError::new(ErrorKind::InvalidRequest, sentence)
                })?;
                gathering.media.push(found);
            }
        }
    }
    Ok(())
}

/// Adds attachments: images and PDFs as they are, texts and folders to the block.
async fn attach(
    workspace: &Workspace,
    cwd: &Path,
    attachments: &[String],
    gathering: &mut Gathering,
) -> Result<(), KitError> {
    for uri in attachments {
        let refused = |kind, why: &str| KitError::new(kind, format!("{uri} cannot be attached: {why}"));
        let location = workspace
            .resolve(cwd, uri)
            .map_err(|error| refused(ErrorKind::InvalidRequest, &error.to_string()))?;
        let is_open = workspace.documents().get(&location.uri).is_some();
        match tokio::fs::metadata(&location.path).await {
            Ok(metadata) if metadata.is_dir() => {
                gathering.block.add(pieces::folder(workspace, &location).await);
                continue;
            }
            Ok(_) => {}
            Err(_) if is_open => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(refused(ErrorKind::NotFound, "it does not exist"));
            }
            Err(error) => return Err(refused(ErrorKind::Unavailable, &error.to_string())),
        }
        match gathering.medium(workspace, &location).await {
            Ok(true) => {}
            Ok(false) => {
                // A file that is no text says so here and not to the model.
                if !is_open && let Err(error) = workspace.snapshot(&location).await {
                    return Err(refused(ErrorKind::InvalidRequest, &error.to_string()));
                }
                gathering.block.add(pieces::piece(workspace, cwd, uri, None, Encoding::Utf8).await);
            }
            Err(error) => return Err(refused(ErrorKind::InvalidRequest, &error.to_string())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kit_protocol::{WirePosition, WireRange};
    use kit_text::Text;
    use kit_workspace::{Change, ChangeObserver, DiskEditor, DocumentUri, Documents, Root};

    use super::*;

    struct Nobody;

    impl ChangeObserver for Nobody {
        fn changed(&self, _change: Change) {}
        fn opened(&self, _uri: &DocumentUri, _text: &Text, _version: i32) {}
        fn closed(&self, _uri: &DocumentUri) {}
    }

    struct Fixture {
        directory: tempfile::TempDir,
        documents: Arc<Documents>,
        workspace: Workspace,
    }

    fn fixture() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let documents = Arc::new(Documents::new());
        let roots = vec![Root::new(directory.path())];
        let workspace = Workspace::new(roots, documents.clone(), Arc::new(DiskEditor), Arc::new(Nobody));
        Fixture { directory, documents, workspace }
    }

    impl Fixture {
        async fn given(&self, context: &[ContextItem], attachments: &[&str]) -> Result<Gathering, KitError> {
            let attachments: Vec<String> = attachments.iter().map(|path| (*path).to_owned()).collect();
            given(&self.workspace, self.directory.path(), context, &attachments, Encoding::Utf16).await
        }

        async fn refusal(&self, attachment: &str) -> (ErrorKind, String) {
            let error = self.given(&[], &[attachment]).await.err().unwrap();
            (error.kind, error.message)
        }
    }

    fn range(start: (u32, u32), end: (u32, u32)) -> WireRange {
        let position = |(line, character)| WirePosition { line, character };
        WireRange { start: position(start), end: position(end) }
    }

    #[tokio::test]
    async fn unsaved_text_of_the_selection_follows_the_prompt() {
        let fixture = fixture();
        let path = fixture.directory.path().join("a.rs");
        std::fs::write(&path, "old\n").unwrap();
        let uri = DocumentUri::from_path(&path);
        fixture.documents.open(uri.clone(), "rust", 1, "😀 one\ntwo\nthree\n");
        let item = |range| ContextItem { uri: uri.as_str().to_owned(), range, version: None };
        let check = async |range, expected: &str| {
            let block = fixture.given(&[item(range)], &[]).await.unwrap().block.finish();
            assert_eq!(block, Some(format!("\n\n<context>\n{expected}</context>")));
        };
        let selection =
            "<selection path=\"a.rs\" lines=\"1-2\" unsaved=\"true\">\n1: 😀 one\n2: two\n</selection>\n";
        check(Some(range((0, 0), (2, 0))), selection).await;
        let word = "<selection path=\"a.rs\" lines=\"1-1\" unsaved=\"true\">\n1: 😀 one\n[selected: one]\n</selection>\n";
        check(Some(range((0, 3), (0, 6))), word).await;
        let whole = "<document path=\"a.rs\" unsaved=\"true\">\n1: 😀 one\n2: two\n3: three\n</document>\n";
        check(None, whole).await;
    }

    #[tokio::test]
    async fn large_documents_are_cut_and_missing_ones_are_named() {
        let fixture = fixture();
        std::fs::write(fixture.directory.path().join("long"), "x\n".repeat(600)).unwrap();
        let missing = ContextItem { uri: "missing".into(), range: None, version: None };
        let block = fixture.given(&[missing], &["long"]).await.unwrap().block.finish().unwrap();
        assert!(block.contains("500: x\n[101 more lines are cut; use `read` for them]\n"), "{block}");
        assert!(block.contains("<document path=\"missing\" error=\"it does not exist\"/>"), "{block}");
    }

    #[tokio::test]
    async fn images_are_attached_as_images_and_folders_as_lists() {
        let fixture = fixture();
        let folder = fixture.directory.path();
        std::fs::create_dir(folder.join("src")).unwrap();
        std::fs::write(folder.join("src/a.rs"), "x").unwrap();
        std::fs::write(folder.join("a.png"), b"\x89PNG\r\n").unwrap();
        let gathering = fixture.given(&[], &["a.png", "src"]).await.unwrap();
        let image = ImagePart { data: "iVBORw0K".into(), media_type: "image/png".into() };
        assert_eq!(gathering.media, [image]);
        let listed = "\n\n<context>\n<folder path=\"src\">\nsrc/a.rs\n</folder>\n</context>";
        assert_eq!(gathering.block.finish().as_deref(), Some(listed));
    }

    #[test]
    fn enclosures_have_the_limits_of_files() {
        let mut gathering = Gathering::default();
        let note = Enclosure::Text { name: "note".into(), text: "x\n".into() };
        let image = |data: &str, media_type: &str| {
            Enclosure::Media(ImagePart { data: data.into(), media_type: media_type.into() })
        };
        enclose(vec![note, image("iVBORw0K", "image/png")], &mut gathering).unwrap();
        assert_eq!(gathering.media.len(), 1);
        let text = "\n\n<context>\n<resource name=\"note\">\nx\n</resource>\n</context>";
        assert_eq!(std::mem::take(&mut gathering.block).finish().as_deref(), Some(text));
        let mut refused = |enclosure| enclose(vec![enclosure], &mut gathering).err().unwrap().message;
        assert_eq!(
            refused(image("AAAA", "image/tiff")),
            "the image/tiff cannot be attached: it is neither an image (PNG, JPEG, GIF or WebP) nor a PDF"
        );
        assert_eq!(
            refused(image("?", "image/png")),
            "the image/png cannot be attached: it cannot be read: it is not base64"
        );
        let large = format!("iVBORw0K{}", "A".repeat(8 << 20));
        assert!(refused(image(&large, "image/png")).contains("6,291,462 bytes are more than the 5,242,880"));
        assert!(
            refused(image("aGVsbG8=", "image/png"))
                .ends_with("it is neither an image (PNG, JPEG, GIF or WebP) nor a PDF")
        );
    }

    #[tokio::test]
    async fn what_cannot_be_attached_is_an_error_that_names_it() {
        let fixture = fixture();
        let folder = fixture.directory.path();
        std::fs::write(folder.join("b.png"), [b"\x89PNG".as_slice(), &vec![0; 6 << 20]].concat()).unwrap();
        std::fs::write(folder.join("c.bin"), [0, 1, 2]).unwrap();
        std::fs::write(folder.join("d.png"), b"\x89PNG").unwrap();
        let missing = "missing cannot be attached: it does not exist".to_owned();
        assert_eq!(fixture.refusal("missing").await, (ErrorKind::NotFound, missing));
        let large = "b.png cannot be attached: 6,291,460 bytes are more than the 5,242,880 that can be attached; make it smaller";
        assert_eq!(fixture.refusal("b.png").await, (ErrorKind::InvalidRequest, large.to_owned()));
        let (kind, message) = fixture.refusal("c.bin").await;
        assert!(
            kind == ErrorKind::InvalidRequest && message.ends_with("is a binary file of 3 bytes"),
            "{message}"
        );
        let many = fixture.given(&[], &["d.png"; 9]).await.err().unwrap();
        assert!(
            many.message.ends_with("more than 8 images and documents are attached; leave some out"),
            "{many}"
        );
    }
}
