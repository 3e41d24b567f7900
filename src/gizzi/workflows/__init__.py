"""Procedures in Python, each one function marked with `@workflow`, and the templates of those that Claude Code follows."""
