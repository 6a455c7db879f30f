//! `cargo xtask bench`: what the design promises about speed and size, measured, each figure with its target.
//!
//! Figures of the whole program are taken from outside, on a release build, over the protocol; figures of single
//! functions come from the crates' criterion benches. A figure over its target is marked and the run still ends well:
//! this is for reading, machines differ, and no test depends on time.

mod inside;
mod outside;

use anyhow::Result;

use crate::run;

/// One measured figure.
pub(crate) struct Figure {
    what: String,
    value: f64,
    target: f64,
    unit: &'static str,
}

impl Figure {
    fn new(what: impl Into<String>, value: f64, target: f64, unit: &'static str) -> Self {
        Figure { what: what.into(), value, target, unit }
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole program, from outside.
    Program,
    /// Single functions, by the benches of the crates.
    Crates,
}

/// Measures parts and prints their figures.
pub(crate) fn run(parts: &[Part]) -> Result<()> {
    let mut figures = Vec::new();
    if parts.contains(&Part::Program) {
        println!("building kit-ls in release");
        let server = run::build_server("release")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        figures.extend(runtime.block_on(outside::measure(&server))?);
    }
    if parts.contains(&Part::Crates) {
        println!("running the benches of the crates");
        figures.extend(inside::measure()?);
    }
    println!("\n{:<68} {:>12} {:>12}", "", "measured", "target");
    for Figure { what, value, target, unit } in &figures {
        let mark = if value > target { "  over" } else { "" };
        println!("{what:<68} {:>12} {:>12}{mark}", written(*value, unit), written(*target, unit));
    }
    Ok(())
}

fn written(value: f64, unit: &str) -> String {
    if value < 10.0 { format!("{value:.3} {unit}") } else { format!("{value:.1} {unit}") }
}
