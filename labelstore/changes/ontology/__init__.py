"""Changes of the ontology: classes renamed, merged, split, re-parented, as a file says."""
