//! Tool trait and registry, permissions, the built-in tools, process execution.
