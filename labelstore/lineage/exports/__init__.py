"""A version's lineage in the words of others: PROV, Croissant, OpenLineage, a data card."""
