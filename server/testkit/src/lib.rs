//! Fake model server, language client and editor drivers for tests.
