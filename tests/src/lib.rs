//! Black-box tests of the built binary; see the files under `tests/tests`.
