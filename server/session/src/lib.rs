//! Session actor, turn machine, history tree, journal and usage.
