//! From the exports of the component to what the extension registered.

use kit_contract::Configuration;

use crate::Extension;
use crate::error::{Error, ErrorCode};
use crate::kit::{Kit, loaded, set_loaded};

/// `init`.
pub fn init<E: Extension>(configuration: &str) -> Result<String, Error> {
    let configuration: Configuration = serde_json::from_str(configuration)
        .map_err(|error| Error::invalid("the configuration is wrong", &error))?;
    let mut kit = Kit::new(configuration);
    E::init(&mut kit)?;
    let registration = serde_json::to_string(&kit.registration)?;
    set_loaded(kit);
    Ok(registration)
}

/// `event`.
pub async fn event(name: &str, payload: &str) -> Result<String, Error> {
    let handler = loaded().and_then(|kit| kit.handlers.get(name).cloned());
    match handler {
        Some(handler) => handler(payload.to_owned()).await,
        None => Ok(String::new()),
    }
}

/// `invoke`.
pub async fn invoke(kind: &str, name: &str, input: &str) -> Result<String, Error> {
    let name = if matches!(kind, "command" | "complete") { name.trim_start_matches('/') } else { name };
    let found = loaded().and_then(|kit| {
        let of_kind = kit.invocations.iter().find(|((known, of), _)| *known == kind && of == name);
        of_kind.map(|(_, handler)| handler.clone())
    });
    match found {
        Some(handler) => handler(input.to_owned()).await,
        None => Err(Error::new(ErrorCode::NotFound, format!("there is no {kind} {name}"))),
    }
}
