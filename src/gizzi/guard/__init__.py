"""Whether an action may be carried out: pure, from facts alone. `permit` is the door; nothing that a model wrote is among what it takes."""

from gizzi.guard.permit import HARMLESS, budget, permit, permit_all
from gizzi.guard.situation import Answer, Limits, Permission, Proposal, Situation

__all__ = ["HARMLESS", "Answer", "Limits", "Permission", "Proposal", "Situation", "budget", "permit", "permit_all"]
