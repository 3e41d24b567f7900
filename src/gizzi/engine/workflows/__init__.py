"""Workflows that people start: wanted through the store, run by whichever process watches, shown step by step."""
