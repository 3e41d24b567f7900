"""Roles: a persona with tools, a tier and a budget, each a Markdown file."""
