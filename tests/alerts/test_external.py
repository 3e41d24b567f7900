from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.alerts.alert import Alert
from gizzi.alerts.book import UNSEEN_S, AlertBook, Turn
from gizzi.alerts.correlate import Change, Correlator
from gizzi.alerts.external import Owners, Said, is_external, owner, said
from gizzi.alerts.incident import Incident
from gizzi.config import Chain, Validator

NOW = 1_780_000_000.0


def validator(number: int, **more: Any) -> Validator:
    host = more.pop("host", f"v{number}.example")
    raw = {"number": number, "name": f"node-{number}", "chain": "flare", "host": host, "metrics_url": f"http://{host}:9615/metrics", **more}
    return Validator.model_validate(raw)


def owners(*validators: Validator) -> Owners:
    given = validators or (validator(6), validator(7), validator(8, chain="btc-pbc", host="shared"), validator(9, host="shared"))
    return Owners(given, ("flare", "btc-pbc"), "net")


@pytest.mark.parametrize(
    ("labels", "number"),
    [
        ({"validator": "6"}, 6),
        ({"number": "7"}, 7),
        ({"validator": "node-6"}, 6),
        ({"name": "Node-6"}, 6),
        ({"instance": "v6.example:9615"}, 6),
        ({"instance": "V6.EXAMPLE:9615"}, 6),
        ({"instance": "http://v6.example:9615/metrics"}, 6),
        ({"instance": "v6.example:9100"}, 6),
        ({"instance": "v6.example"}, 6),
        ({"host": "v7.example"}, 7),
        ({"validator": "6", "instance": "v7.example:9615"}, 6),
        ({"instance": "shared:9100"}, None),
        ({"instance": "other.example:9615"}, None),
        ({"validator": "99"}, None),
        ({"validator": "6" * 40}, None),
        ({"validator": "٦"}, None),
        ({"instance": "[::1"}, None),
        ({}, None),
    ],
)
def test_who_a_label_names(labels: dict[str, str], number: int | None) -> None:
    found = owners().validator(labels)
    assert (found.number if found else None) == number


def test_validators_on_one_host_are_told_apart_by_their_ports() -> None:
    two = owners(validator(1, host="h"), validator(2, host="h", metrics_url="http://h:9616/metrics"))
    assert two.validator({"instance": "h:9616"}).number == 2  # type: ignore[union-attr]
    assert two.validator({"instance": "h:9100"}) is None
    told = owners(validator(3, host="h", labels={"instance": "10.0.0.6:9615"}))
    assert told.validator({"instance": "10.0.0.6:9615"}).number == 3  # type: ignore[union-attr]


def tell(labels: dict[str, str] | None = None, *, fingerprint: str = "f" * 16, over_at: float | None = None, **more: Any) -> Said:
    given = {"alertname": "DiskFull", **(labels or {})}
    return said(given, more.pop("annotations", {}), fingerprint, since=NOW - 60, over_at=over_at, owners=owners(), now=NOW)


@pytest.mark.parametrize(
    ("labels", "subject", "chain", "validators"),
    [
        ({"validator": "6"}, "validator/6", "flare", (6,)),
        ({"chain": "BTC-PBC"}, "chain/btc-pbc", "btc-pbc", ()),
        ({"net": "flare"}, "chain/flare", "flare", ()),
        ({"chain": "unheard-of"}, "network", None, ()),
        ({}, "network", None, ()),
    ],
)
def test_whose_it_is(labels: dict[str, str], subject: str, chain: str | None, validators: tuple[int, ...]) -> None:
    one = tell(labels)
    assert (one.subject, owner(one.subject)) == (f"{subject}/{'f' * 16}", subject)
    assert (one.chain, one.validators, one.rule) == (chain, validators, "alertmanager:DiskFull") and is_external(one.rule)


@pytest.mark.parametrize(
    ("word", "severity"),
    [("critical", "critical"), ("page", "critical"), ("warning", "medium"), ("INFO", "low"), ("", "medium"), ("?", "medium")],
)
def test_severities(word: str, severity: str) -> None:
    assert tell({"severity": word}).severity == severity


def test_its_text_and_its_evidence() -> None:
    assert tell(annotations={"summary": " ", "description": "The disk\nis full"}).text == "The disk is full"
    assert tell().text == "DiskFull"
    assert tell({"b": "2"}).evidence == (("alertmanager/" + "f" * 16, "alertname=DiskFull, b=2"),)


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=300), max_size=30), st.text(max_size=50), st.floats(-1e9, 1e12))
def test_whatever_it_says_is_one_bounded_line(labels: dict[str, str], fingerprint: str, since: float) -> None:
    one = said(labels, labels, fingerprint, since=since, over_at=None, owners=owners(), now=NOW)
    assert len(one.subject) <= 128 and len(one.rule) <= 128 and one.since <= NOW
    for text in (one.subject, one.rule, one.text, *(word for pair in one.evidence for word in pair)):
        assert text.isprintable() and len(text) <= 1000
    assert said(labels, {}, fingerprint, since=since, over_at=None, owners=owners(), now=NOW).subject == one.subject, "the same is the same"


class Lab:
    def __init__(self) -> None:
        self.book = AlertBook(())
        self.correlator = Correlator({}, {"flare": Chain(id="flare")}, {"flare": 21}, 5.0)

    def hear(self, *said: Said, at: float = NOW) -> list[Change]:
        turn = Turn()
        for one in said:
            self.book.hear(one, at, turn)
        return self.correlator.step(at, turn, ())

    @property
    def open(self) -> list[Incident]:
        return list(self.correlator.open.values())


def test_it_fires_at_once_and_again_is_nothing_new() -> None:
    lab = Lab()
    assert [change.kind for change in lab.hear(tell({"validator": "6"}))] == ["opened"]
    assert lab.hear(tell({"validator": "6"}), at=NOW + 5) == []
    (incident,) = lab.open
    assert (incident.rule, incident.validators, incident.summary) == ("alertmanager:DiskFull", (6,), "Validator 6: DiskFull")
    kinds = [change.kind for change in lab.hear(tell({"validator": "6"}, over_at=NOW + 9), at=NOW + 10)]
    assert kinds == ["alert_resolved", "resolved"] and lab.open == []
    assert lab.hear(tell({"validator": "6"}, over_at=NOW + 9), at=NOW + 11) == []


def test_two_of_one_name_on_one_validator_end_one_by_one() -> None:
    lab = Lab()
    lab.hear(tell({"validator": "6", "device": "a"}, fingerprint="a"), tell({"validator": "6", "device": "b"}, fingerprint="b"))
    assert len(lab.open) == 1
    lab.hear(tell({"validator": "6", "device": "a"}, fingerprint="a", over_at=NOW + 9), at=NOW + 10)
    assert len(lab.open) == 1, "the other disk is still full"
    lab.hear(tell({"validator": "6", "device": "b"}, fingerprint="b", over_at=NOW + 19), at=NOW + 20)
    assert lab.open == []


def test_a_node_that_is_gone_explains_what_others_say_of_it() -> None:
    down = Alert("validator/6", "node_down", "flare", "high", "it is gone", (6,), (), since=NOW, state="firing", fired_at=NOW)
    for own_first in (True, False):
        lab = Lab()
        first, second = Turn(fired=[down]), Turn()
        down.incident = None
        if own_first:
            lab.correlator.step(NOW, first, ())
        lab.book.hear(tell({"validator": "6"}), NOW, second)
        lab.book.hear(tell({"validator": "7"}, fingerprint="other"), NOW + 0.0, second)
        lab.correlator.step(NOW + 1, second, ())
        if not own_first:
            lab.correlator.step(NOW + 2, first, ())
        homes = {incident.validators: incident for incident in lab.open}
        if own_first:
            assert set(homes) == {(6,), (7,)} and homes[(6,)].rule == "node_down"
            assert [a.muted for a in homes[(6,)].alerts.values() if is_external(a.rule)] == ["explained by node_down on validator/6"]


def test_what_is_not_repeated_ends_as_not_seen() -> None:
    lab = Lab()
    lab.hear(tell({"chain": "flare"}))
    turn = Turn()
    lab.book.drop_unseen(NOW + UNSEEN_S - 1, turn)
    assert turn.resolved == []
    lab.book.drop_unseen(NOW + UNSEEN_S + 1, turn)
    (alert,) = turn.resolved
    assert alert.text.endswith("(not seen any more for 6 h)")


def test_after_a_restart_it_still_fires_unless_its_validator_is_no_longer_watched() -> None:
    lab, after = Lab(), Lab()
    lab.hear(tell({"validator": "6"}), tell({"validator": "7"}, fingerprint="b"), tell(fingerprint="c"))
    after.book.restore(list(lab.book.alerts.values()), NOW + 100)
    turn = Turn()
    after.book.drop_strangers({"validator/6", "chain/flare", "gizzi"}, NOW + 100, turn)
    assert [alert.validators for alert in turn.resolved] == [(7,)] and len(after.book.firing()) == 2
    assert after.hear(tell({"validator": "6"}), at=NOW + 101) == [], "a repeat after the restart is the same alert"


def test_it_gets_worse_and_that_is_told() -> None:
    lab = Lab()
    lab.hear(tell({"validator": "6"}))
    assert [c.kind for c in lab.hear(tell({"validator": "6", "severity": "critical"}), at=NOW + 5)] == ["changed"]
    assert lab.open[0].severity == "critical"
    lab.hear(tell({"validator": "6", "severity": "info"}), at=NOW + 9)
    assert lab.open[0].severity == "critical"


def test_thousands_of_one_name_are_one_incident() -> None:
    lab = Lab()
    changes = lab.hear(*(tell({"validator": str(6 + n % 2), "i": str(n)}, fingerprint=f"{n:x}") for n in range(3000)))
    assert len(lab.open) == 1 and len(changes) == 3000 and len(lab.open[0].alerts) == 3000
