//! LSP framing, read strictly: whatever is not a header or a counted body is an error that shows the bytes.
//!
//! A server that prints one stray line to its output is broken in most editors, so nothing is skipped here.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// A frame around one JSON body.
pub(crate) fn encode(body: &[u8]) -> Vec<u8> {
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame
}

/// Reads one body; `None` at a clean end of the stream.
pub(crate) async fn read<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Option<Vec<u8>>, String> {
    let mut length = None;
    let mut first = true;
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).await.map_err(|error| format!("cannot read: {error}"))?;
        if line.is_empty() && first {
            return Ok(None);
        }
        first = false;
        let text = String::from_utf8_lossy(&line);
        let Some(header) = text.strip_suffix("\r\n") else {
            return Err(format!("not a header line: {text:?}"));
        };
        if header.is_empty() {
            break;
        }
        match header.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = Some(value.parse::<usize>().map_err(|_| format!("not a length: {text:?}"))?);
            }
            Some((name, _)) if name.eq_ignore_ascii_case("content-type") => {}
            Some(_) | None => return Err(format!("not a header of LSP: {text:?}")),
        }
    }
    let length = length.ok_or_else(|| "a frame without Content-Length".to_owned())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.map_err(|error| format!("a torn frame of {length} bytes: {error}"))?;
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stray_line_is_an_error_that_shows_it() {
        let mut bytes: &[u8] = b"debug print\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(read(&mut bytes).await, Err(r#"not a header line: "debug print\n""#.to_owned()));
    }

    #[tokio::test]
    async fn frames_are_read_back_until_the_clean_end() {
        let stream = [encode(b"{}"), encode(b"[1]")].concat();
        let mut bytes: &[u8] = &stream;
        assert_eq!(read(&mut bytes).await, Ok(Some(b"{}".to_vec())));
        assert_eq!(read(&mut bytes).await, Ok(Some(b"[1]".to_vec())));
        assert_eq!(read(&mut bytes).await, Ok(None));
    }
}
