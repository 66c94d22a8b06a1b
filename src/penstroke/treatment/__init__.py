"""The procedure: a plan, its check and its estimate, and the treatment that follows it."""
