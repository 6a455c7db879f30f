//! Pure text: rope, positions, edit sets, matching, diffs, three-way merge, line ends.
