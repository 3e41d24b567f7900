"""Telling people: each change once, to the right channel."""
