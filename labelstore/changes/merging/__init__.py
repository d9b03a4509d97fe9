"""Three-way merge: of parts, then rows, then cells; what both changed otherwise is a conflict."""
