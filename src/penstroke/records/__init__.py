"""The record of treatments: one append-only chain of entries, and what is read from it."""
