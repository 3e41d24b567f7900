"""Roles at work: a task gathers facts, a model may phrase them, the report is remembered."""
