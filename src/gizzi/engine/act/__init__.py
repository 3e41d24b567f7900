"""The one door to a write: proposal, guard, approval, intent, act, outcome, verdict."""
