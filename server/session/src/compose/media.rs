//! Images and PDFs that go to the model as they are, recognized by their first bytes.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kit_protocol::ImagePart;
use thiserror::Error;

/// The largest image that is attached.
const LARGEST_IMAGE: u64 = 5 * 1024 * 1024;
/// The largest PDF.
const LARGEST_DOCUMENT: u64 = 20 * 1024 * 1024;
/// Images and documents of one prompt.
pub(super) const MOST: usize = 8;
const PDF: &str = "application/pdf";

/// Why an image or document cannot be attached.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum MediaError {
    #[error("{size} bytes are more than the {limit} that can be attached; make it smaller")]
    TooLarge { size: u64, limit: u64 },
    #[error("more than {MOST} images and documents are attached; leave some out")]
    TooMany,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("it is neither an image (PNG, JPEG, GIF or WebP) nor a PDF")]
    Foreign,
}

/// The media types that models take.
const TAKEN: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", PDF];

/// Whether an image or document can go along. `already` says how many the prompt has.
pub(super) fn check(part: &ImagePart, already: usize) -> Result<(), MediaError> {
    if !TAKEN.contains(&part.media_type.as_str()) {
        return Err(MediaError::Foreign);
    }
    let bytes = STANDARD.decode(&part.data);
    let bytes = bytes.map_err(|_| MediaError::Unreadable("it is not base64".to_owned()))?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let limit = limit_of(&part.media_type);
    if size > limit {
        return Err(MediaError::TooLarge { size, limit });
    }
    if already >= MOST {
        return Err(MediaError::TooMany);
    }
    Ok(())
}

fn limit_of(media_type: &str) -> u64 {
    if media_type == PDF { LARGEST_DOCUMENT } else { LARGEST_IMAGE }
}

/// Reads an image or document; `None` if the file is neither, or cannot be read at all: an open document need not be on
/// disk, so a missing file is for the reader of texts to judge. `already` says how many the prompt has.
pub(super) async fn read(path: &Path, already: usize) -> Result<Option<ImagePart>, MediaError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || of_file(&path)).await;
    let part = read.map_err(|error| MediaError::Unreadable(error.to_string()))??;
    if part.is_some() && already >= MOST {
        return Err(MediaError::TooMany);
    }
    Ok(part)
}

fn of_file(path: &PathBuf) -> Result<Option<ImagePart>, MediaError> {
    let Ok(mut file) = std::fs::File::open(path) else { return Ok(None) };
    let mut head = [0; 16];
    let Ok(count) = file.read(&mut head) else { return Ok(None) };
    let Some(media_type) = media_type(head.get(..count).unwrap_or_default()) else { return Ok(None) };
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let limit = limit_of(media_type);
    if size > limit {
        return Err(MediaError::TooLarge { size, limit });
    }
    let bytes = std::fs::read(path).map_err(|error| MediaError::Unreadable(error.to_string()))?;
    Ok(Some(ImagePart { data: STANDARD.encode(bytes), media_type: media_type.to_owned() }))
}

fn media_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(PDF),
        _ => None,
    }
}
