"""Channels by which people are told. Each is one function, marked with `@notifier`."""
