//! Compiled components on disk.
//!
//! A file's name is the hash of the component, its folder that of everything the compiled code depends on: the version
//! of the runtime, its configuration and the processor. Files are written whole and renamed, never changed in place,
//! because they are mapped into memory. Compiled code is trusted, so the folder must belong to the user alone: where it
//! does not, the cache is not used.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wasmtime::component::Component;

/// Compiled components on disk.
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache of an engine below a folder.
    pub(super) fn new(below: &Path, engine: &wasmtime::Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { folder: below.join(format!("{:016x}", hasher.finish())) }
    }

    /// The component of these bytes, compiled now if it was not before. Takes long when it compiles.
    pub(super) fn load(&self, engine: &wasmtime::Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let file = self.folder.join(format!("{}.cwasm", blake3::hash(bytes).to_hex()));
        if file.is_file() && self.is_private() {
            match deserialize(engine, &file) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(file = %file.display(), %error, "a compiled extension is unusable, it is compiled again");
                }
            }
        }
        let component = Component::new(engine, bytes)?;
        if let Err(error) = self.store(&component, &file) {
            tracing::warn!(folder = %self.folder.display(), %error, "compiled extensions cannot be kept");
        }
        Ok(component)
    }

    fn store(&self, component: &Component, file: &Path) -> io::Result<()> {
        create_private(&self.folder)?;
        if !self.is_private() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder is open to other users"));
        }
        let compiled = component.serialize().map_err(io::Error::other)?;
        let mut temporary = tempfile::NamedTempFile::new_in(&self.folder)?;
        temporary.write_all(&compiled)?;
        temporary.as_file().sync_all()?;
        temporary.persist(file)?;
        Ok(())
    }

    #[cfg(unix)]
    fn is_private(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let closed = |metadata: &fs::Metadata| metadata.mode() & 0o077 == 0;
        fs::metadata(&self.folder).is_ok_and(|metadata| metadata.is_dir() && closed(&metadata))
    }

    #[cfg(not(unix))]
    fn is_private(&self) -> bool {
        true
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[allow(unsafe_code)]
fn deserialize(engine: &wasmtime::Engine, file: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `store` of this or an earlier process of the user, into a folder that only the
    // user can write to, and is never changed after its rename.
    unsafe { Component::deserialize_file(engine, file) }
}
