//! Makes a user message of a prompt: the user's own text first, then a block with what the user had selected, open or
//! attached. The text comes from the open documents, so that unsaved text counts, and every piece has a cap and says
//! how much was cut (I20). What cannot be read is named with its reason; a prompt never fails because of it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kit_protocol::{ContextItem, ImagePart, Part, TextPart, WirePosition, WireRange};
use kit_text::{Encoding, LineIndex, LineRange, Position, Text};
use kit_workspace::{Base, DocumentUri, Workspace, WorkspaceError};

/// Lines of one piece.
const MOST_LINES: u32 = 500;
/// Bytes of one piece.
const LARGEST_PIECE: usize = 24 * 1024;
/// Bytes of all pieces of one prompt.
const LARGEST_BLOCK: usize = 96 * 1024;
/// The largest image or document that is attached.
const LARGEST_MEDIA: u64 = 5 * 1024 * 1024;
/// Images and documents of one prompt.
const MOST_MEDIA: usize = 8;

/// The parts of the user message.
pub(crate) async fn user_message(
    workspace: &Workspace,
    cwd: &Path,
    text: &str,
    context: &[ContextItem],
    attachments: &[String],
    encoding: Encoding,
) -> Vec<Part> {
    let mut block = Block::default();
    let mut media = Vec::new();
    for item in context {
        block.add(piece(workspace, cwd, &item.uri, item.range, encoding).await);
    }
    for uri in attachments {
        match attached_media(workspace, cwd, uri, media.len()).await {
            Attached::Media(part) => media.push(part),
            Attached::Refused(element) => block.add(element),
            Attached::Text => block.add(piece(workspace, cwd, uri, None, encoding).await),
        }
    }
    let mut parts = vec![Part::Text(TextPart { text: text.to_owned() })];
    if let Some(block) = block.finish() {
        parts.push(Part::Text(TextPart { text: block }));
    }
    parts.extend(media.into_iter().map(Part::Image));
    parts
}

/// The block of pieces, up to its cap.
#[derive(Default)]
struct Block {
    text: String,
    left_out: usize,
}

impl Block {
    fn add(&mut self, piece: String) {
        if self.text.len() + piece.len() > LARGEST_BLOCK {
            self.left_out += 1;
        } else {
            self.text.push_str(&piece);
        }
    }

    fn finish(self) -> Option<String> {
        let note = match self.left_out {
            0 => String::new(),
            count => format!("[{count} more pieces are left out; read the files]\n"),
        };
        let content = format!("{}{note}", self.text);
        (!content.is_empty()).then(|| format!("\n\n<context>\n{content}</context>"))
    }
}

/// A document or a part of it, with line numbers.
async fn piece(
    workspace: &Workspace,
    cwd: &Path,
    uri: &str,
    range: Option<WireRange>,
    encoding: Encoding,
) -> String {
    let name = DocumentUri::parse(uri);
    let (path, text, unsaved) = match workspace.documents().get(&name) {
        Some(document) => {
            let path =
                workspace.resolve(cwd, uri).map_or_else(|_| uri.to_owned(), |location| location.display);
            (path, document.text, document.dirty)
        }
        None => {
            let snapshot = match workspace.resolve(cwd, uri) {
                Ok(location) => workspace.snapshot(&location).await,
                Err(error) => Err(error),
            };
            match snapshot {
                Ok(snapshot) => match snapshot.base {
                    Base::Missing => return unreadable(&snapshot.location.display, "it does not exist"),
                    Base::Open { dirty, .. } => (snapshot.location.display, snapshot.text, dirty),
                    Base::Disk { .. } => (snapshot.location.display, snapshot.text, false),
                },
                Err(error) => return unreadable(uri, &error.to_string()),
            }
        }
    };
    let unsaved = if unsaved { " unsaved=\"true\"" } else { "" };
    match range.filter(|range| range.start != range.end) {
        None => {
            let all = LineRange::new(0, LineIndex::from_count(text.line_count()).0);
            format!("<document path=\"{path}\"{unsaved}>\n{}</document>\n", numbered(&text, all))
        }
        Some(range) => {
            let lines = selected_lines(range);
            let (first, last) = (lines.start.0 + 1, lines.end.0.max(lines.start.0 + 1));
            let exact = exact_selection(&text, range, encoding);
            format!(
                "<selection path=\"{path}\" lines=\"{first}-{last}\"{unsaved}>\n{}{exact}</selection>\n",
                numbered(&text, lines)
            )
        }
    }
}

fn unreadable(path: &str, why: &str) -> String {
    format!("<document path=\"{path}\" error=\"{}\"/>\n", why.replace('"', "'"))
}

/// The lines that a selection touches. One that ends at the start of a line does not touch that line.
fn selected_lines(range: WireRange) -> LineRange {
    let last = if range.end.character == 0 && range.end.line > range.start.line {
        range.end.line
    } else {
        range.end.line.saturating_add(1)
    };
    LineRange::new(range.start.line, last)
}

/// The selected words, where less than a line is selected.
fn exact_selection(text: &Text, range: WireRange, encoding: Encoding) -> String {
    if range.start.line != range.end.line {
        return String::new();
    }
    let offset =
        |position: WirePosition| text.offset_of(Position::new(position.line, position.character), encoding);
    let selected = text.slice(offset(range.start)..offset(range.end)).unwrap_or_default();
    let whole = text.lines_text(LineRange::new(range.start.line, range.start.line.saturating_add(1)));
    if selected.trim().is_empty() || selected.trim() == whole.trim() {
        return String::new();
    }
    format!("[selected: {selected}]\n")
}

fn numbered(text: &Text, lines: LineRange) -> String {
    let mut shown = String::new();
    let mut line = lines.start.0;
    let end = lines.end.0.min(LineIndex::from_count(text.line_count()).0);
    while line < end {
        let Some(content) = text.line(LineIndex(line)) else { break };
        let content = content.trim_end_matches(['\r', '\n']);
        // The empty line behind the last line end is not one that a reader counts.
        if line + 1 == end && content.is_empty() && line > lines.start.0 {
            break;
        }
        if line - lines.start.0 >= MOST_LINES || shown.len() + content.len() > LARGEST_PIECE {
            shown.push_str(&format!("[{} more lines are cut; use `read` for them]\n", end - line));
            break;
        }
        shown.push_str(&format!("{}: {content}\n", line + 1));
        line += 1;
    }
    shown
}

enum Attached {
    Media(ImagePart),
    Refused(String),
    Text,
}

/// An attached image or document, recognized by its first bytes.
async fn attached_media(workspace: &Workspace, cwd: &Path, uri: &str, already: usize) -> Attached {
    let path = match workspace.resolve(cwd, uri) {
        Ok(location) => location.path,
        Err(WorkspaceError::EmptyPath) => return Attached::Refused(unreadable(uri, "the path is empty")),
        Err(error) => return Attached::Refused(unreadable(uri, &error.to_string())),
    };
    let read = tokio::task::spawn_blocking(move || read_media(&path)).await;
    match read {
        Ok(Ok(Some(_))) if already >= MOST_MEDIA => Attached::Refused(unreadable(
            uri,
            &format!("more than {MOST_MEDIA} images or documents are attached"),
        )),
        Ok(Ok(Some(part))) => Attached::Media(part),
        Ok(Ok(None)) => Attached::Text,
        Ok(Err(why)) => Attached::Refused(unreadable(uri, &why)),
        Err(error) => Attached::Refused(unreadable(uri, &error.to_string())),
    }
}

/// Reads an image or document; `None` if the file is neither.
fn read_media(path: &Path) -> Result<Option<ImagePart>, String> {
    use std::io::Read as _;
    // An open document need not be on disk, so a missing file is for the text reader to judge.
    let Ok(mut file) = std::fs::File::open(path) else { return Ok(None) };
    let mut head = [0; 16];
    let Ok(count) = file.read(&mut head) else { return Ok(None) };
    let Some(media_type) = media_type(head.get(..count).unwrap_or_default()) else { return Ok(None) };
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    if len > LARGEST_MEDIA {
        return Err(format!("{len} bytes are more than the {LARGEST_MEDIA} that can be attached"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    Ok(Some(ImagePart { data: STANDARD.encode(bytes), media_type: media_type.to_owned() }))
}

fn media_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some("application/pdf"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kit_workspace::{Change, ChangeObserver, DiskEditor, Documents, Root};

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
        async fn block(&self, context: &[ContextItem], attachments: &[&str]) -> Vec<Part> {
            let attachments: Vec<String> = attachments.iter().map(|path| (*path).to_owned()).collect();
            let cwd = self.directory.path();
            user_message(&self.workspace, cwd, "Fix it", context, &attachments, Encoding::Utf16).await
        }
    }

    fn range(start: (u32, u32), end: (u32, u32)) -> WireRange {
        let position = |(line, character)| WirePosition { line, character };
        WireRange { start: position(start), end: position(end) }
    }

    fn text(part: &Part) -> &str {
        let Part::Text(text) = part else { panic!("{part:?} is no text") };
        &text.text
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
            let parts = fixture.block(&[item(range)], &[]).await;
            assert_eq!(text(&parts[0]), "Fix it");
            assert_eq!(text(&parts[1]), format!("\n\n<context>\n{expected}</context>"));
        };
        let selection = "<selection path=\"a.rs\" lines=\"1-2\">\n1: 😀 one\n2: two\n</selection>\n";
        check(Some(range((0, 0), (2, 0))), selection).await;
        let word = "<selection path=\"a.rs\" lines=\"1-1\">\n1: 😀 one\n[selected: one]\n</selection>\n";
        check(Some(range((0, 3), (0, 6))), word).await;
        let whole = "<document path=\"a.rs\">\n1: 😀 one\n2: two\n3: three\n</document>\n";
        check(None, whole).await;
    }

    #[tokio::test]
    async fn large_documents_are_cut_and_missing_ones_are_named() {
        let fixture = fixture();
        std::fs::write(fixture.directory.path().join("long"), "x\n".repeat(600)).unwrap();
        let parts = fixture.block(&[], &["long", "missing"]).await;
        let block = text(&parts[1]);
        assert!(block.contains("500: x\n[101 more lines are cut; use `read` for them]\n"), "{block}");
        assert!(block.contains("<document path=\"missing\" error=\"it does not exist\"/>"), "{block}");
    }

    #[tokio::test]
    async fn images_are_attached_as_images() {
        let fixture = fixture();
        std::fs::write(fixture.directory.path().join("a.png"), b"\x89PNG\r\n").unwrap();
        let large = [b"\x89PNG".as_slice(), &vec![0; 6 << 20]].concat();
        std::fs::write(fixture.directory.path().join("b.png"), large).unwrap();
        let parts = fixture.block(&[], &["a.png", "b.png"]).await;
        assert!(
            text(&parts[1]).contains("path=\"b.png\" error=\"6291460 bytes are more than"),
            "{:?}",
            parts[1]
        );
        let image = ImagePart { data: STANDARD.encode(b"\x89PNG\r\n"), media_type: "image/png".into() };
        assert_eq!(parts[2], Part::Image(image));
    }
}
