"""Gizzi: an on-call engineer for fleets of Substrate validators. This page is what an extension needs.

    from gizzi import rule

    @rule("few_leaves", severity="low", hold="5m", needs=("number_leaves",))
    def few_leaves(v, fleet, *, above=20):
        if v.number_leaves is not None and v.number_leaves > above:
            return f"{v.number_leaves} leaves: its view of the chain keeps forking"
"""

from gizzi.alerts.finding import UNKNOWN, Answer, Finding
from gizzi.clock import duration_text
from gizzi.config import Chain, Settings, Validator
from gizzi.errors import CommandFailed, GizziError, SourceError
from gizzi.fleet.observation import Value
from gizzi.reach import Http, Node, Samples, Ssh
from gizzi.registry import rule, source

__all__ = [
    "UNKNOWN",
    "Answer",
    "Chain",
    "CommandFailed",
    "Finding",
    "GizziError",
    "Http",
    "Node",
    "Samples",
    "Settings",
    "SourceError",
    "Ssh",
    "Validator",
    "Value",
    "duration_text",
    "rule",
    "source",
]
