"""Workflow files that Claude Code follows: templates, filled with what is known, and what is from outside fenced as data."""
