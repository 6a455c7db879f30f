//! Images, PDFs and sounds that go to a model as they are, recognized by their first bytes and never by what somebody
//! calls them. Each has a cap, and so have those of one result (I20).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use kit_protocol::{ImagePart, MediaKind};
use kit_workspace::{Location, Workspace, WorkspaceError};
use thiserror::Error;

use crate::caps::{self, grouped};

/// The largest image that is attached.
const LARGEST_IMAGE: u64 = 5 * 1024 * 1024;
/// The largest PDF.
const LARGEST_DOCUMENT: u64 = 20 * 1024 * 1024;
/// The largest sound.
const LARGEST_SOUND: u64 = 10 * 1024 * 1024;
/// What the media of one result may have together.
const LARGEST_RESULT: u64 = LARGEST_DOCUMENT;
/// Bytes of what a medium is called.
const LONGEST_NAME: usize = 500;
/// Media of one prompt or result.
pub const MOST: usize = 8;
const PDF: &str = "application/pdf";
/// Base64 as others write it: with or without padding.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why an image, document or sound cannot be attached.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MediaError {
    /// It is too large.
    #[error("{} bytes are more than the {} that can be attached; make it smaller", grouped(*size), grouped(*limit))]
    TooLarge {
        /// Its bytes.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// Others came before it.
    #[error("more than {MOST} images and documents are attached; leave some out")]
    TooMany,
    /// Its bytes cannot be had.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is something else.
    #[error("it is neither an image (PNG, JPEG, GIF or WebP) nor a PDF")]
    Foreign,
}

/// The image or document that somebody sent with a prompt as base64. `already` says how many the prompt has.
pub fn of_prompt(base64: &str, already: usize) -> Result<ImagePart, MediaError> {
    let part = of_base64(base64)?;
    match part.kind() {
        MediaKind::Sound | MediaKind::Other => Err(MediaError::Foreign),
        MediaKind::Image | MediaKind::Document if already >= MOST => Err(MediaError::TooMany),
        MediaKind::Image | MediaKind::Document => Ok(part),
    }
}

/// Reads an image or document from disk; `None` if the file is neither, or is open in the editor, or cannot be opened,
/// which is for the reader of texts to judge.
pub async fn of_file(workspace: &Workspace, location: &Location) -> Result<Option<ImagePart>, MediaError> {
    let limit = |head: &[u8]| Some(limit_of(part_of(&[], visible_type(head)?).kind()));
    let bytes = workspace.bytes(location, limit).await.map_err(|error| {
        if let WorkspaceError::TooLarge { size, limit, .. } = error {
            return MediaError::TooLarge { size, limit };
        }
        MediaError::Unreadable(error.to_string())
    })?;
    Ok(bytes.and_then(|bytes| Some(part_of(&bytes, visible_type(&bytes)?))))
}

/// The medium that somebody sent as base64.
fn of_base64(data: &str) -> Result<ImagePart, MediaError> {
    let data: String = data.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let bytes = TOLERANT.decode(data);
    let bytes = bytes.map_err(|_| MediaError::Unreadable("it is not base64".to_owned()))?;
    let media_type = visible_type(&bytes).or_else(|| sound_type(&bytes)).ok_or(MediaError::Foreign)?;
    let part = part_of(&bytes, media_type);
    let (size, limit) = (count(&bytes), limit_of(part.kind()));
    if size > limit { Err(MediaError::TooLarge { size, limit }) } else { Ok(part) }
}

/// Keeps what somebody sent as base64 among the media of a result, and answers what names it in the text there. `kind` is
/// what it was called; it counts for nothing.
pub fn keep(media: &mut Vec<ImagePart>, what: &str, kind: Option<&str>, base64: &str) -> String {
    let what = caps::line(what, LONGEST_NAME);
    let why = match of_base64(base64) {
        Ok(part) => {
            let line = line(media.len() + 1, &part);
            media.push(part);
            return format!("[{what}, {line}]");
        }
        Err(MediaError::Foreign) => String::new(),
        Err(error) => format!(": {error}"),
    };
    let kind = caps::line(kind.unwrap_or("data"), LONGEST_NAME);
    let bytes = ImagePart { data: base64.to_owned(), media_type: String::new() }.byte_count();
    format!("[{what}, {kind}, {} bytes, not shown{why}]", grouped(bytes))
}

/// The text that somebody sent as base64.
pub(crate) fn text_of_base64(data: &str) -> Option<String> {
    String::from_utf8(TOLERANT.decode(data).ok()?).ok()
}

/// What names a medium in the text of its result. `number` counts from 1.
pub(crate) fn line(number: usize, part: &ImagePart) -> String {
    format!("attached {number}: {}, {} bytes", part.media_type, grouped(part.byte_count()))
}

/// Leaves out what is more than a result may bring, and says how much that was.
pub(crate) fn cut(media: &mut Vec<ImagePart>) -> Option<String> {
    let before = media.len();
    let (mut kept, mut bytes) = (0, 0_u64);
    media.retain(|part| {
        let size = part.byte_count();
        let fits = kept < MOST
            && size <= limit_of(part.kind())
            && bytes.saturating_add(size) <= LARGEST_RESULT
            && part.kind() != MediaKind::Other;
        if fits {
            kept += 1;
            bytes = bytes.saturating_add(size);
        }
        fits
    });
    let left_out = before - kept;
    (left_out > 0).then(|| {
        format!(
            "{left_out} of {before} attachments left out: a result may bring {MOST}, and {} bytes",
            grouped(LARGEST_RESULT)
        )
    })
}

fn part_of(bytes: &[u8], media_type: &str) -> ImagePart {
    ImagePart { data: STANDARD.encode(bytes), media_type: media_type.to_owned() }
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn limit_of(kind: MediaKind) -> u64 {
    match kind {
        MediaKind::Image => LARGEST_IMAGE,
        MediaKind::Document => LARGEST_DOCUMENT,
        MediaKind::Sound => LARGEST_SOUND,
        MediaKind::Other => 0,
    }
}

fn visible_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(PDF),
        _ => None,
    }
}

fn sound_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("audio/wav"),
        [b'I', b'D', b'3', ..] | [0xFF, 0xFB | 0xF3 | 0xF2, ..] => Some("audio/mpeg"),
        [b'O', b'g', b'g', b'S', ..] => Some("audio/ogg"),
        [b'f', b'L', b'a', b'C', ..] => Some("audio/flac"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: &[u8]) -> Result<String, MediaError> {
        of_base64(&STANDARD.encode(bytes)).map(|part| part.media_type)
    }

    #[test]
    fn media_are_what_their_first_bytes_say() {
        let kinds =
            [&b"\x89PNG\r\n"[..], b"%PDF-1.7", b"RIFF0000WAVEfmt ", b"ID3\x04", b"PK\x03\x04"].map(taken);
        let expected =
            ["image/png", "application/pdf", "audio/wav", "audio/mpeg"].map(|kind| Ok(kind.to_owned()));
        assert_eq!(kinds[..4], expected);
        assert_eq!(kinds[4], Err(MediaError::Foreign));
    }

    #[test]
    fn base64_may_be_broken_into_lines_and_lack_its_padding() {
        let expected = ImagePart { data: "iVBORw0KGg==".into(), media_type: "image/png".into() };
        assert_eq!(of_base64("iVBO\r\nRw0K\nGg").as_ref(), Ok(&expected));
        assert_eq!(of_base64("not base64!"), Err(MediaError::Unreadable("it is not base64".into())));
    }

    #[test]
    fn a_result_brings_no_more_than_its_limits_and_says_what_is_missing() {
        let image =
            |bytes: usize| ImagePart { data: "A".repeat(bytes / 3 * 4), media_type: "image/png".into() };
        let mut few = vec![image(300), image(300)];
        assert_eq!((cut(&mut few), few.len()), (None, 2));
        let mut many = vec![image(300); 10];
        let note = "2 of 10 attachments left out: a result may bring 8, and 20,971,520 bytes";
        assert_eq!((cut(&mut many).as_deref(), many.len()), (Some(note), 8));
        let sizes = [6, 4, 4, 4, 4, 5];
        let mut large: Vec<ImagePart> = sizes.map(|mebibytes| image(mebibytes << 20)).into();
        let told = cut(&mut large);
        assert_eq!(large.len(), 4);
        assert!(told.is_some_and(|told| told.starts_with("2 of 6 ")));
    }
}
