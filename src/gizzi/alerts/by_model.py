"""What a model says of a validator: an alert of a kind of its own, marked as a model's, never graver than medium. Pure."""

from __future__ import annotations

import re

from gizzi.alerts.alert import Alert, validator_subject
from gizzi.alerts.external import MODEL, Said
from gizzi.config import Validator
from gizzi.kinds import Severity
from gizzi.readers.text import one_line

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def is_name(observation: str) -> bool:
    """Whether an observation of that name can be cited: it becomes part of the alert's identity."""
    return _NAME.fullmatch(observation) is not None


def finding(validator: Validator, observation: str, *, severity: str, text: str, shown: str, role: str, model: str, now: float) -> Said:
    """observation: its name, which is what it is the same by; shown: its text, which the model quoted. severity: anything but low is
    medium."""
    number = validator.number
    graveness: Severity = "low" if severity == "low" else "medium"
    return Said(
        subject=f"{validator_subject(number)}/{role}",
        rule=f"{MODEL}{observation}",
        chain=validator.chain,
        validators=(number,),
        severity=graveness,
        text=one_line(f"a model ({one_line(model, 80)}) says: {text}", 600),
        since=now,
        over_at=None,
        evidence=((f"{number}/{observation}", one_line(shown, 1000)),),
    )


def over(alert: Alert, now: float) -> Said:
    """The end of that alert."""
    return Said(alert.subject, alert.rule, alert.chain, alert.validators, alert.severity, alert.text, alert.since, now, alert.evidence)
