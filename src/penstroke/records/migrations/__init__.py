"""How a store is brought from one version of its tables to the next; run by `penstroke.records.schema`."""
