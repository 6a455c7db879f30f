//! Sessions from outside, with the scripted model, the disk as editor, and a sink that remembers.
#![cfg(test)]

mod harness;

mod branches;
mod compaction;
mod files;
mod hooks;
mod import;
mod look;
mod programs;
mod prompts;
mod review;
mod settings;
mod spending;
mod subagents;
mod turns;
