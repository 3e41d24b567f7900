"""The rules strategy."""
