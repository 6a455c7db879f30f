//! The language server: transport guard, commands, conversions, outbound pump.
