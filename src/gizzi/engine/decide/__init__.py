"""Decisions: what a model is shown and may look up, how its answer is read and checked, and when the reflex tier decides instead."""
