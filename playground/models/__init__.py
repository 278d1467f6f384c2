"""Models by name: the catalog of pairs that ship, a person's own entries, and plain paths."""
