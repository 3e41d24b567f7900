"""Consensus of the tiers about what concerns a whole chain: all who voted say the same, or a person decides with the votes before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vote:
    """who: the tier, and its model where it has one."""

    who: str
    action: str


def agreed(votes: Sequence[Vote]) -> tuple[str | None, str]:
    """The action that every vote is for, and what to say of it; None where they differ, or where there is only one."""
    shown = ", ".join(f"{vote.who}: {vote.action}" for vote in votes)
    actions = {vote.action for vote in votes}
    if len(votes) < 2:
        return None, f"one vote is no consensus; a person decides ({shown})"
    if len(actions) == 1:
        return votes[0].action, f"the tiers agree to {votes[0].action} ({shown})"
    return None, f"the tiers do not agree; a person decides ({shown})"
