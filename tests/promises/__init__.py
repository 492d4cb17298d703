"""A test for each promise of docs/promises.md, named after it, against the real daemon; the figures are printed."""
