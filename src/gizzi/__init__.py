"""Gizzi: an on-call engineer for fleets of Substrate validators. This page is what an extension needs.

from gizzi import rule

@rule("many_leaves", severity="low", hold="5m", needs=("number_leaves",))
def many_leaves(v, fleet, *, above=20):
    if v.number_leaves is not None and v.number_leaves > above:
        return f"{v.number_leaves} leaves: its view of the chain keeps forking"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gizzi.alerts.finding import UNKNOWN, Answer, Finding
    from gizzi.alerts.message import Message
    from gizzi.analysis.forecast import Outlook, Series, outlook
    from gizzi.clock import beside, duration_text
    from gizzi.config import Chain, Settings, Validator
    from gizzi.engine.roles.scene import Scene
    from gizzi.errors import CommandFailed, GizziError, OutcomeUnknown, SourceError, UsageError
    from gizzi.fleet.observation import Value
    from gizzi.kinds import Opinion, ReportItem
    from gizzi.marks import action, notifier, panel, rule, source, strategy, task, wire, workflow
    from gizzi.models.router import Router
    from gizzi.now import ChainNow, FleetNow, StoreNow
    from gizzi.procedure import Run
    from gizzi.reach import Http, Node, Samples, Ssh

__all__ = [
    "UNKNOWN",
    "Answer",
    "Chain",
    "ChainNow",
    "CommandFailed",
    "Finding",
    "FleetNow",
    "GizziError",
    "Http",
    "Message",
    "Node",
    "Opinion",
    "OutcomeUnknown",
    "Outlook",
    "ReportItem",
    "Router",
    "Run",
    "Samples",
    "Scene",
    "Series",
    "Settings",
    "SourceError",
    "Ssh",
    "StoreNow",
    "UsageError",
    "Validator",
    "Value",
    "action",
    "beside",
    "duration_text",
    "notifier",
    "outlook",
    "panel",
    "rule",
    "source",
    "strategy",
    "task",
    "wire",
    "workflow",
]

_HOMES = {
    "gizzi.alerts.finding": ("UNKNOWN", "Answer", "Finding"),
    "gizzi.alerts.message": ("Message",),
    "gizzi.analysis.forecast": ("Outlook", "Series", "outlook"),
    "gizzi.clock": ("beside", "duration_text"),
    "gizzi.config": ("Chain", "Settings", "Validator"),
    "gizzi.errors": ("CommandFailed", "GizziError", "OutcomeUnknown", "SourceError", "UsageError"),
    "gizzi.fleet.observation": ("Value",),
    "gizzi.models.router": ("Router",),
    "gizzi.procedure": ("Run",),
    "gizzi.now": ("ChainNow", "FleetNow", "StoreNow"),
    "gizzi.reach": ("Http", "Node", "Samples", "Ssh"),
    "gizzi.engine.roles.scene": ("Scene",),
    "gizzi.kinds": ("Opinion", "ReportItem"),
    "gizzi.marks": ("action", "notifier", "panel", "rule", "source", "strategy", "task", "wire", "workflow"),
}


def __getattr__(name: str) -> Any:
    """Each name is loaded when it is first asked for, so that `gizzi --help` is instant."""
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'gizzi' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
