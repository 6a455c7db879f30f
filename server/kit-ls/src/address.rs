//! What a model's name means when the settings name a server.
//!
//! A server at `provider-url` is the provider `custom`, unless `provider-wire` says what it speaks: then the model keeps
//! its provider. So `--provider-url URL --model google/gemma-4` asks the server at URL for `gemma-4`. A model of a
//! settings file is kept as it is, because there both were written for each other.

use kit_protocol::Settings;

/// Where the model of the settings comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// From the command line of this start.
    Now,
    /// From settings that last.
    Before,
}

/// Rewrites the model for the server that the settings name.
pub(crate) fn rewrite(settings: &mut Settings, named: Named) {
    let (Some(model), Some(_), None) = (&settings.model, &settings.provider_url, &settings.provider_wire)
    else {
        return;
    };
    let name = match model.split_once('/') {
        Some((_, name)) if named == Named::Now => name,
        Some(_) => return,
        None => model,
    };
    if !name.is_empty() {
        settings.model = Some(format!("custom/{name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(model: &str, url: Option<&str>, wire: Option<&str>, named: Named) -> String {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let mut settings = Settings {
            model: Some(model.to_owned()),
            provider_url: owned(url),
            provider_wire: owned(wire),
            ..Settings::default()
        };
        rewrite(&mut settings, named);
        settings.model.unwrap()
    }

    #[test]
    fn a_model_named_with_a_server_is_a_model_of_that_server() {
        let url = Some("http://box/v1");
        let now = |model| check(model, url, None, Named::Now);
        assert_eq!(now("google/gemma-4-12b"), "custom/gemma-4-12b");
        assert_eq!(now("openrouter/google/gemma-4"), "custom/google/gemma-4");
        assert_eq!(now("custom/mine"), "custom/mine");
        assert_eq!(now("mine"), "custom/mine");
        assert_eq!(check("google/gemma-4", url, None, Named::Before), "google/gemma-4");
        assert_eq!(check("mine", url, None, Named::Before), "custom/mine");
        assert_eq!(check("google/gemma-4", None, None, Named::Now), "google/gemma-4");
        assert_eq!(check("google/gemma-4", url, Some("google"), Named::Now), "google/gemma-4");
    }
}
