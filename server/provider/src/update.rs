//! Refreshing the user's file of models from an address or from another file.

use std::path::Path;
use std::time::Duration;

use kit_protocol::ErrorKind;
use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::catalogue::check;
use crate::error::ModelError;
use crate::files::{Access, replace};
use crate::http::{Http, fetch_text};

/// Where the models come from when nobody names a place.
const SOURCE: &str = "https://models.dev/api.json";
/// How long a download may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The source that stands for the models of this version.
const EMBEDDED: &str = "embedded";

/// Replaces the user's file with what the source has, once that is known to be usable, and returns its number of models;
/// `None` when the file was taken away.
pub(crate) async fn update(
    http: &Http,
    file: &Path,
    source: Option<&str>,
) -> Result<Option<usize>, ModelError> {
    let kept = |error: std::io::Error| {
        let message = format!("the models cannot be kept in {}: {error}", file.display());
        ModelError::new(ErrorKind::Internal, message)
    };
    let source = source.unwrap_or(SOURCE);
    if source == EMBEDDED {
        return match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(kept(error)),
            Ok(()) | Err(_) => Ok(None),
        };
    }
    let text = match source.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        Some(url) => fetch_text(http, "the list of models", &url, HeaderMap::new(), LIMIT).await?,
        None => std::fs::read_to_string(source).map_err(|error| {
            let message = format!(
                "the file {source} cannot be read: {error}; name a file or an address of a list of models"
            );
            ModelError::new(ErrorKind::NotFound, message)
        })?,
    };
    let (_, count) = check(&text).map_err(|reason| {
        let message =
            format!("{source} is no list of models as models.dev has it: {reason}; nothing was changed");
        ModelError::new(ErrorKind::InvalidRequest, message)
    })?;
    replace(file, text.as_bytes(), Access::Usual).map_err(kept)?;
    Ok(Some(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_usable_list_replaces_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/models.json");
        let source = folder.path().join("source.json");
        let from = source.to_str().unwrap().to_owned();
        let run = async || update(&Http::default(), &file, Some(&from)).await.map_err(|error| error.message);
        assert!(run().await.unwrap_err().starts_with(&format!("the file {from} cannot be read: ")));
        std::fs::write(&source, r#"{"openai": {"models": {"gpt-x": {"tool_call": true}}}}"#).unwrap();
        assert_eq!(run().await, Ok(Some(1)));
        std::fs::write(&source, r#"{"openai": {"models": {}}}"#).unwrap();
        assert!(
            run().await.unwrap_err().ends_with("it holds no model that calls tools; nothing was changed")
        );
        assert!(std::fs::read_to_string(&file).unwrap().contains("gpt-x"));
        for _ in 0..2 {
            assert_eq!(update(&Http::default(), &file, Some("embedded")).await, Ok(None));
            assert!(!file.exists());
        }
    }
}
