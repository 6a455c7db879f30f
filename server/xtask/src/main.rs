//! The automation of this repository: `cargo xtask NAME`.
//!
//! Each subcommand is a module that returns an error to fail. Nothing here is part of the product; the modules may
//! print, and they drive the same programs that a person would.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "this program talks to its developer, reads JSON by name, and may stop at a broken repository"
)]

mod bench;
mod catalogue;
mod codegen;
mod demo;
mod engine;
mod pictures;
mod run;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask NAME

  demo             build everything and run the main job in a real Neovim, printed as it happens
  test             install what the tests need and run them all
  tidy             check crate edges, dependencies, file rules, invariants and generated files
  codegen          write schema, client types and settings from the protocol types
  codegen --check  fail when one of them is not current
  bench [PART]     measure what the design promises and print each figure with its target; PART is `program` for
                   the whole of it from outside, or `crates` for single functions
  soak [EVENTS]    a million events through ten extensions that crash and are loaded again; is memory flat?
  pictures         take the pictures of the README from the real editors
  engine           build the JavaScript engine of extensions; needed by those who change it alone
  catalogue        write the model catalogue from registry packages
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["demo"] => demo::run(),
        ["test"] => test::run(),
        ["tidy"] => tidy::run(),
        ["codegen"] => codegen::write(),
        ["codegen", "--check"] => codegen::check(),
        ["bench"] => bench::run(&[bench::Part::Program, bench::Part::Crates]),
        ["bench", "program"] => bench::run(&[bench::Part::Program]),
        ["bench", "crates"] => bench::run(&[bench::Part::Crates]),
        ["soak"] => soak::run("1000000"),
        ["soak", events] => soak::run(events),
        ["pictures"] => pictures::run(),
        ["engine"] => engine::build(),
        ["catalogue"] => catalogue::write(),
        ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
