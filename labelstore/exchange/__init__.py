"""Import and export: identity, ids, modes, and the converters' rows on their way in and out."""
