//! The sessions over the Agent Client Protocol.
