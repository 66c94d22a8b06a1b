"""One module a step: what it asks (`questions`), and what its answers come to (`judge`)."""
