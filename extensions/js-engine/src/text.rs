//! Text that QuickJS is slow at: searching long strings, and UTF-8.

use memchr::memmem;
use rquickjs::{CString, Ctx, Exception, Function, Object, Result, TypedArray};

/// Adds `find`, `utf8` and `fromUtf8` to the natives.
pub(crate) fn install<'js>(ctx: &Ctx<'js>, natives: &Object<'js>) -> Result<()> {
    natives.set("find", Function::new(ctx.clone(), find)?)?;
    natives.set("utf8", Function::new(ctx.clone(), encode)?)?;
    natives.set("fromUtf8", Function::new(ctx.clone(), decode)?)
}

/// The place of a text in another in UTF-16 units, or -1.
fn find(text: CString<'_>, wanted: CString<'_>) -> i32 {
    let (text, wanted) = (text.as_str(), wanted.as_str());
    let Some(at) = memmem::find(text.as_bytes(), wanted.as_bytes()) else { return -1 };
    let before = text.get(..at).unwrap_or_default();
    // ASCII is the usual case, and counting bytes is much quicker than counting units.
    let units = if before.is_ascii() { before.len() } else { before.encode_utf16().count() };
    i32::try_from(units).unwrap_or(-1)
}

fn encode<'js>(ctx: Ctx<'js>, text: CString<'js>) -> Result<TypedArray<'js, u8>> {
    TypedArray::new_copy(ctx, text.as_str().as_bytes())
}

fn decode<'js>(ctx: Ctx<'js>, bytes: TypedArray<'js, u8>, fatal: bool) -> Result<String> {
    // SAFETY: no JavaScript runs as long as the slice is used.
    let Some(bytes) = (unsafe { bytes.as_bytes() }) else {
        return Err(Exception::throw_type(&ctx, "the buffer is detached"));
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if fatal {
        let text = std::str::from_utf8(bytes);
        return text.map(str::to_owned).map_err(|_| Exception::throw_type(&ctx, "not valid UTF-8"));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
