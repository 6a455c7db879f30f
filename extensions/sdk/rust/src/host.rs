//! The doors of the host: the imports of the component, or, in tests, a host that records.

use crate::bindings::kit::extension::host;
use crate::bindings::kit::extension::types::LogLevel;
use crate::error::Error;
use crate::test;

pub(crate) fn log(level: LogLevel, text: &str) {
    if test::is_running() {
        return test::log(text);
    }
    host::log(level, text);
}

pub(crate) fn notify(method: &str, parameters: &str) -> Result<(), Error> {
    if test::is_running() {
        return test::answer(method, parameters).map(|_nothing| ());
    }
    Ok(host::notify(method, parameters)?)
}

pub(crate) fn get(method: &str, parameters: &str) -> Result<String, Error> {
    if test::is_running() {
        return test::answer(method, parameters);
    }
    Ok(host::get(method, parameters)?)
}

pub(crate) async fn call(method: &str, parameters: String) -> Result<String, Error> {
    if test::is_running() {
        return test::answer(method, &parameters);
    }
    Ok(host::call(method.to_owned(), parameters).await?)
}
