//! Globs over paths, as models write them.
//!
//! A glob with a slash matches the path relative to the searched directory, or to the root; `*` does not cross a slash
//! and `**` does. A glob without one matches names at any depth. A final slash means all that is below. A leading `!`
//! inverts, for filters.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

use super::SearchError;

pub(crate) struct PathGlob {
    matcher: GlobMatcher,
    whole_path: bool,
    inverted: bool,
    hidden: bool,
}

impl PathGlob {
    /// Reads a glob; `top` is the searched directory, of which an absolute glob may be a part.
    pub(crate) fn new(glob: &str, top: &Path) -> Result<Self, SearchError> {
        let (inverted, rest) = match glob.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, glob),
        };
        let below_top =
            top.to_str().and_then(|top| rest.strip_prefix(top)).filter(|rest| rest.starts_with('/'));
        let anchored = rest.starts_with('/') || rest.starts_with("./");
        let mut pattern = below_top.unwrap_or(rest).to_owned();
        while let Some(shorter) = pattern.strip_prefix("./").or_else(|| pattern.strip_prefix('/')) {
            pattern = shorter.to_owned();
        }
        if pattern.ends_with('/') {
            pattern.push_str("**");
        }
        let fail = |why: String| SearchError::Glob { glob: glob.to_owned(), why };
        if pattern.is_empty() {
            return Err(fail("it is empty".to_owned()));
        }
        let matcher = GlobBuilder::new(&pattern)
            .literal_separator(true)
            .build()
            .map_err(|error| fail(error.kind().to_string()))?
            .compile_matcher();
        let hidden = pattern.split('/').any(|part| part.starts_with('.') && part.len() > 1);
        Ok(Self { matcher, whole_path: anchored || pattern.contains('/'), inverted, hidden })
    }

    /// Whether the glob asks for names that begin with a dot.
    pub(super) fn wants_hidden(&self) -> bool {
        self.hidden && !self.inverted
    }

    /// Whether a file matches; `relative` is its path below the searched directory, `in_root` below the root.
    pub(crate) fn matches(&self, relative: &Path, in_root: Option<&Path>) -> bool {
        let found = if self.whole_path {
            self.matcher.is_match(relative) || in_root.is_some_and(|path| self.matcher.is_match(path))
        } else {
            relative.file_name().is_some_and(|name| self.matcher.is_match(name))
        };
        found != self.inverted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_names_or_whole_paths() {
        let check = |glob: &str, path: &str, expected: bool| {
            let glob_matcher = PathGlob::new(glob, Path::new("/project/lib")).unwrap();
            let in_root = format!("lib/{path}");
            assert_eq!(
                glob_matcher.matches(Path::new(path), Some(Path::new(&in_root))),
                expected,
                "{glob} {path}"
            );
        };
        check("*.rs", "src/deep/a.rs", true);
        check("*.rs", "src/a.rs.bak", false);
        check("src/**/*.rs", "src/deep/er/a.rs", true);
        check("src/**/*.rs", "src/a.rs", true);
        check("src/*.rs", "src/deep/a.rs", false);
        check("lib/src/*.rs", "src/a.rs", true);
        check("**/a.{rs,toml}", "src/a.toml", true);
        check("./*.rs", "a.rs", true);
        check("./*.rs", "src/a.rs", false);
        check("/project/lib/src/*", "src/a.rs", true);
        check("src/", "src/deep/a.rs", true);
        check("!*.rs", "src/a.rs", false);
        check("!*.rs", "src/a.md", true);
        check("-v*", "-verbose", true);
        check("[a-c].rs", "src/b.rs", true);
    }

    #[test]
    fn a_wrong_glob_is_named() {
        let error = PathGlob::new("src/[a", Path::new("/")).err().unwrap();
        assert!(error.to_string().starts_with("invalid glob \"src/[a\": "), "{error}");
        assert!(PathGlob::new("./", Path::new("/")).is_err());
    }
}
