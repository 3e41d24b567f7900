"""Where the reflex tier decides whatever a model may say: what can cost stake or finality. The guard would refuse such a restart anyway."""

from __future__ import annotations

from gizzi.alerts.incident import Decision
from gizzi.engine import reflex
from gizzi.engine.reflex import Situation

_RULES = {"twin_signer": "two machines may be signing", "equivocation": "an equivocation was seen", "database_lost": "a database is lost"}
_CONDITIONS = {
    "a_model_says": "only a model's finding stands behind it",
    "twin": "another machine seems to sign with its keys",
    "db_lost": "its database is lost",
    "unclean_stop": "it did not stop cleanly",
    "restart_failed": "a restart has not helped",
    "restarts_fail": "restarts have not helped others with the same trouble",
    "over_budget": "more validators are missing than the quorum can spare",
}


def kept_by_rule(situation: Situation, by_rule: Decision) -> str | None:
    """Why no model is asked; None where one may be. An escalation by rule stands, but for that of a whole chain, on which tiers vote."""
    if situation.incident.rule in _RULES:
        return _RULES[situation.incident.rule]
    why = next((why for name, why in _CONDITIONS.items() if reflex.CONDITIONS[name](situation)), None)
    if why is None and by_rule.action == "escalate" and not situation.incident.cause().of_chain:
        why = "a restart would leave fewer authorities than the quorum needs"
    return why


def has_no_room(situation: Situation) -> bool:
    """Whether a restart would take away more authorities than the quorum can spare."""
    return reflex.CONDITIONS["no_room"](situation)
