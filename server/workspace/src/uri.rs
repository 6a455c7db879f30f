//! Canonical document URIs, so that one file has one name whoever spells it.
//!
//! Editors disagree about `file:` URIs: VS Code writes `file:///c%3A/x`, Neovim `file:///C:/x`, and each escapes other
//! characters. A [`DocumentUri`] decodes such a URI to a path and encodes it again in one way: the characters of
//! RFC 3986 `pchar` stand for themselves, all other bytes are escaped in upper case, drive letters are upper case, a
//! server name is lower case, and dot segments are resolved. URIs of other schemes (`untitled:`) are kept verbatim.
//! Symbolic links are not followed here; `Location::real` does that.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A document's URI in canonical form; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentUri(Arc<str>);

impl DocumentUri {
    /// Canonicalizes a URI as a client sent it.
    pub fn parse(uri: &str) -> Self {
        match file_parts(uri) {
            Some((server, path)) => Self(encode(&server, &path).into()),
            None => Self(uri.into()),
        }
    }

    /// The URI of an absolute path; dot segments are resolved lexically.
    pub fn from_path(path: &Path) -> Self {
        let (server, bytes) = path_parts(path);
        Self(encode(&server, &bytes).into())
    }

    /// The path of a `file:` URI, `None` for other schemes.
    pub fn to_path(&self) -> Option<PathBuf> {
        let (server, path) = file_parts(&self.0)?;
        Some(build_path(&server, path))
    }

    /// Whether it names a file.
    pub fn is_file(&self) -> bool {
        file_parts(&self.0).is_some()
    }

    /// The canonical form, for the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DocumentUri({})", self.0)
    }
}

impl From<&str> for DocumentUri {
    fn from(uri: &str) -> Self {
        Self::parse(uri)
    }
}

/// Server name and decoded path of a `file:` URI.
fn file_parts(uri: &str) -> Option<(String, Vec<u8>)> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (server, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let server = String::from_utf8_lossy(&decode(server)).to_ascii_lowercase();
    let server = if server == "localhost" { String::new() } else { server };
    Some((server, decode(path)))
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let escaped = (byte == b'%')
            .then(|| Some(hex_digit(ahead.next()?)? * 16 + hex_digit(ahead.next()?)?))
            .flatten();
        match escaped {
            Some(value) => {
                decoded.push(value);
                bytes = ahead;
            }
            None => decoded.push(byte),
        }
    }
    decoded
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn encode(server: &str, path: &[u8]) -> String {
    let mut uri = String::with_capacity(path.len() + 8);
    uri.push_str("file://");
    push_escaped(&mut uri, server.as_bytes());
    for (index, segment) in resolve_dots(path).into_iter().enumerate() {
        uri.push('/');
        match segment {
            [letter @ (b'a'..=b'z' | b'A'..=b'Z'), b':'] if index == 0 => {
                uri.push(char::from(letter.to_ascii_uppercase()));
                uri.push(':');
            }
            _ => push_escaped(&mut uri, segment),
        }
    }
    uri
}

/// The segments of an absolute path without `.` and `..`; a final slash and doubled slashes vanish.
fn resolve_dots(path: &[u8]) -> Vec<&[u8]> {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    if segments.is_empty() {
        segments.push(b"");
    }
    segments
}

fn push_escaped(uri: &mut String, bytes: &[u8]) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or('0');
    for byte in bytes {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'!'
            | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
            | b':'
            | b'@' => uri.push(char::from(*byte)),
            _ => uri.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

#[cfg(unix)]
fn path_parts(path: &Path) -> (String, Vec<u8>) {
    use std::os::unix::ffi::OsStrExt;
    (String::new(), path.as_os_str().as_bytes().to_vec())
}

#[cfg(unix)]
fn build_path(_server: &str, path: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(path))
}

#[cfg(not(unix))]
fn path_parts(path: &Path) -> (String, Vec<u8>) {
    let text = path.to_string_lossy().replace('\\', "/");
    let text = match text.strip_prefix("//?/") {
        Some(rest) => rest.strip_prefix("UNC/").map_or_else(|| rest.to_owned(), |share| format!("//{share}")),
        None => text,
    };
    match text.strip_prefix("//") {
        Some(rest) => {
            let (server, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (server.to_ascii_lowercase(), path.as_bytes().to_vec())
        }
        None => (String::new(), text.into_bytes()),
    }
}

#[cfg(not(unix))]
fn build_path(server: &str, path: Vec<u8>) -> PathBuf {
    let text = String::from_utf8_lossy(&path).replace('/', "\\");
    if !server.is_empty() {
        return PathBuf::from(format!("\\\\{server}{text}"));
    }
    let drive = text.strip_prefix('\\').filter(|rest| rest.as_bytes().get(1) == Some(&b':'));
    match drive {
        Some(drive) if drive.len() == 2 => PathBuf::from(format!("{drive}\\")),
        Some(drive) => PathBuf::from(drive),
        None => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, canonical: &str) {
        assert_eq!(DocumentUri::parse(uri).as_str(), canonical);
        assert_eq!(DocumentUri::parse(canonical).as_str(), canonical);
    }

    #[test]
    fn spellings_of_one_file_are_equal() {
        check("file:///c%3A/Users/a.rs", "file:///C:/Users/a.rs");
        check("file:///C:/Users/a.rs", "file:///C:/Users/a.rs");
        check("file:///tmp/a%20b%5b1%5d.rs", "file:///tmp/a%20b%5B1%5D.rs");
        check("file:///tmp/%40types/a+b.ts", "file:///tmp/@types/a+b.ts");
        check("FILE://localhost/tmp/x", "file:///tmp/x");
        check("file:/tmp/x", "file:///tmp/x");
        check("file:///tmp/./a/../b", "file:///tmp/b");
        check("file:///tmp/a/", "file:///tmp/a");
        check("file:///", "file:///");
        check("file://WSL%24/Debian/home", "file://wsl$/Debian/home");
        check("file:///tmp/%E4%BD%A0", "file:///tmp/%E4%BD%A0");
        check("file:///tmp/a%2", "file:///tmp/a%252");
    }

    #[test]
    fn other_schemes_are_kept_and_have_no_path() {
        let uri = DocumentUri::parse("untitled:Untitled-1");
        assert_eq!(uri.as_str(), "untitled:Untitled-1");
        assert_eq!((uri.to_path(), uri.is_file()), (None, false));
    }

    #[cfg(unix)]
    #[test]
    fn paths_round_trip_whatever_bytes_they_have() {
        use std::os::unix::ffi::OsStrExt;
        for bytes in [&b"/tmp/a b"[..], b"/tmp/%41#?", b"/tmp/\xff\xfe", "/tmp/ü😀".as_bytes(), b"/"] {
            let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
            assert_eq!(DocumentUri::from_path(path).to_path().as_deref(), Some(path));
        }
    }
}
