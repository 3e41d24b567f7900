"""Where the reflex tier decides whatever a model may say: what can cost stake or finality. The guard would refuse such a restart anyway."""

from __future__ import annotations

from gizzi.engine import reflex
from gizzi.engine.reflex import Situation

_RULES = {"twin_signer": "two machines may be signing", "equivocation": "an equivocation was seen", "database_lost": "a database is lost"}
_CONDITIONS = {
    "twin": "another machine seems to sign with its keys",
    "db_lost": "its database is lost",
    "unclean_stop": "it did not stop cleanly",
    "restart_failed": "a restart has not helped",
    "over_budget": "more validators are missing than the quorum can spare",
}


def kept_by_rule(situation: Situation) -> str | None:
    """Why no model is asked; None where one may be."""
    if situation.incident.rule in _RULES:
        return _RULES[situation.incident.rule]
    return next((why for name, why in _CONDITIONS.items() if reflex.CONDITIONS[name](situation)), None)


def has_no_room(situation: Situation) -> bool:
    """Whether a restart would take away more authorities than the quorum can spare."""
    return reflex.CONDITIONS["no_room"](situation)
