//! The ledger from outside: a desk with files, an agent and a user, and everything that can happen between them.
#![cfg(test)]

mod contract;
mod desk;
mod persistence;
mod properties;
mod steps;
