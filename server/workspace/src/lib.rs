//! Open documents, disk, roots, snapshots, compare-and-swap writes, walking and searching.
