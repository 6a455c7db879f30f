//! Ids, events, settings and wire shapes as plain data, with their JSON schema.
