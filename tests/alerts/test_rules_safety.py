"""Equivocations, second signers, lost databases, and how much the quorum can still lose."""

from __future__ import annotations

import pytest

from alerts.build import START, World, both, chain, fails, key, sets, validator, view
from gizzi import UNKNOWN
from gizzi.alerts.rules import safety
from gizzi.fleet.history import ChainHistory, History
from gizzi.fleet.observation import Collected
from gizzi.fleet.view import ValidatorView

FAULT_AT = 120.0


def gone(since=FAULT_AT, until=float("inf")):
    return both(
        fails("refused", since=since, until=until), sets("host", since=since, until=until, unit_active=False, unit_state="failed/failed")
    )


def test_an_equivocation_names_ours_at_once():
    world = World()
    world.faults[3] = sets("journal", since=FAULT_AT, equivocations=1, equivocation_ids=(key(6),))
    world.run(FAULT_AT + 40)
    assert world.rules_fired == {"equivocation", "twin_signer"}
    assert world.alert("equivocation").text == "validator 6 voted twice in one round, reported in the last hour by validator 3"
    assert world.alert("equivocation").validators == (6,)
    assert world.alert("twin_signer").validators == (6,)
    assert world.alert("equivocation").severity == world.alert("twin_signer").severity == "critical"


@pytest.mark.parametrize(("ids", "text"), [((key(99),), "an authority that is not one of ours (0x0"), ((), "the log does not say which")])
def test_an_equivocation_of_somebody_else_is_told_too(ids, text):
    reporter = view({"equivocations": 2, "equivocation_ids": ids}, source="journal", number=3, authority_id=key(3))
    found = safety.equivocation(chain(reporter, view(number=4)))
    assert text in found.text and found.validators == ()
    assert safety.twin_signer(reporter, chain(reporter)) in (None, UNKNOWN)


def test_its_own_log_may_tell():
    v = view({"own_equivocations": 1}, source="journal")
    assert safety.twin_signer(v, chain(v)).evidence == ("own_equivocations",)


def test_votes_while_its_process_is_gone_are_somebody_elses():
    world = World()
    world.faults[6] = gone()
    world.run(FAULT_AT + 120)
    assert {"twin_signer", "node_down"} <= world.rules_fired
    assert world.fired_after("twin_signer") - FAULT_AT <= 60
    assert "its keys voted" in world.alert("twin_signer").text


def test_a_node_that_is_gone_and_does_not_vote_has_no_twin():
    world = World()
    world.faults[6] = gone()
    world.missing = lambda t: [6] if t >= FAULT_AT else []
    assert world.run(FAULT_AT + 300).rules_fired == {"node_down", "process_down"}


def test_a_node_that_comes_back_is_not_its_own_twin():
    """The chain sees its votes a little before we see it."""
    world = World(every_s=15.0)
    world.faults[6] = gone(until=FAULT_AT + 200)
    world.missing = lambda t: [6] if FAULT_AT <= t < FAULT_AT + 200 else []
    assert world.run(FAULT_AT + 400).rules_fired == {"node_down", "process_down"}


def test_votes_that_stay_in_view_of_a_round_that_does_not_end_are_no_twins():
    """Eight die together: finality stops, and the last round goes on showing the votes they cast before."""
    world = World()
    for number in range(1, 9):
        world.faults[number] = gone()
    world.finalized = lambda t: world.height(min(t, FAULT_AT)) - 2
    shows = world.shows

    def stuck(number, t):
        shown = shows(number, t)
        shown["rpc"]["rpc_grandpa_round"] = int(min(t, FAULT_AT) // 6)
        return shown

    world.shows = stuck
    world.run(FAULT_AT + 300)
    assert "node_down" in world.rules_fired
    assert "twin_signer" not in world.rules_fired


@pytest.mark.parametrize("fault", [fails("timeout", since=FAULT_AT), fails("refused", since=FAULT_AT)])
def test_a_node_out_of_our_reach_may_go_on_voting(fault):
    """It hangs, or its ports are closed to us, but its unit runs."""
    world = World()
    world.faults[6] = fault
    assert "twin_signer" not in world.run(FAULT_AT + 300).rules_fired


def gone_without_ssh(voted_at, seen_at, **changes):
    history, votes = History(), ChainHistory()
    for at in (0.0, 60.0, 100.0):
        failure = {"metrics_up": at == 0, "rpc_up": at == 0}
        for source in ("metrics", "rpc"):
            history.observe(Collected(1, source, START + at, failure))
    votes.voted_at[key(1)], votes.seen_voting_at[key(1)] = START + voted_at, START + seen_at
    v = ValidatorView(validator(1, **changes), history, START + 100.0)
    return safety.twin_signer(v, chain(v, votes=votes, now=START + 100.0))


def test_without_ssh_a_refused_connection_counts_as_gone():
    assert "its keys voted 35 s after its node was gone" in gone_without_ssh(95, 96).text
    assert gone_without_ssh(85, 86) is UNKNOWN
    assert gone_without_ssh(95, 96, authority_id=None) is None


def test_a_lost_database_is_told_at_once():
    world = World()
    world.faults[6] = sets("metrics", since=FAULT_AT, block_height=12, finalized_height=10, syncing=True)
    world.run(FAULT_AT + 20)
    assert world.rules_fired == {"database_lost"}
    assert world.fired_after("database_lost") - FAULT_AT <= 6
    assert world.alert("database_lost").text == "best block 12 is 1005 below block 1017, which it had already finalized"


def with_watermark(height, watermark, genesis_line=None):
    history = History(watermark=watermark)
    if genesis_line:
        history.observe(Collected(1, "journal", START, {"genesis_line": False}))
    values = {"block_height": height, "genesis_line": genesis_line}
    history.observe(Collected(1, "metrics", START, {k: v for k, v in values.items() if v is not None}))
    v = ValidatorView(validator(1), history, START)
    return safety.database_lost(v, chain(v))


@pytest.mark.parametrize(
    ("height", "watermark", "genesis_line", "answer"),
    [
        (1000, None, None, None),
        (1000, 1000, None, None),
        (995, 1000, None, None),
        (994, 1000, None, "best block 994 is 6 below block 1000, which it had already finalized"),
        (0, 1000, True, "best block 0 is 1000 below block 1000, which it had already finalized"),
        (None, 1000, True, "it has started from an empty database, though it had finalized block 1000 before"),
        (None, 1000, None, UNKNOWN),
        (1200, 1000, True, None),
        (5, None, True, None),
    ],
)
def test_a_database_is_lost_below_what_it_had_finalized(height, watermark, genesis_line, answer):
    assert with_watermark(height, watermark, genesis_line) == answer


def down(count):
    world = World()
    for number in range(1, count + 1):
        world.faults[number] = gone()
    world.missing = lambda t: range(1, count + 1) if t >= FAULT_AT else []
    return world.run(FAULT_AT + 90)


@pytest.mark.parametrize(
    ("count", "severity", "text"),
    [
        (4, None, None),
        (5, "high", "1 more can be lost before finality stops"),
        (6, "high", "not one more can be lost before finality stops"),
        (7, "critical", "finality needs 15, so it stops"),
    ],
)
def test_the_quorum_at_21(count, severity, text):
    alert = down(count).alert("quorum_at_risk")
    if severity is None:
        assert alert is None
    else:
        assert alert.severity == severity
        assert alert.text.startswith(f"{count} of 21 authorities are missing (of ours: 1, 2, 3") and text in alert.text
        assert alert.validators == tuple(range(1, count + 1))


def test_missing_authorities_of_others_count():
    world = World(size=3)
    world.chain = world.fleet.chains["main"] = world.chain.model_copy(update={"authorities": 21})
    world.missing = lambda t: range(50, 56) if t >= FAULT_AT else []
    shows = world.shows

    def of_21(number, t):
        shown = shows(number, t)
        shown["rpc"]["grandpa_total_weight"] = 21
        return shown

    world.shows = of_21
    world.run(FAULT_AT + 90)
    assert world.alert("quorum_at_risk").text == "6 of 21 authorities are missing; not one more can be lost before finality stops"


def test_in_a_slot_gap_nobody_is_missing():
    world = World()
    world.height = lambda t: 1000 + int(min(t, FAULT_AT) // 6) + max(0, int((t - FAULT_AT - 60) // 6))
    world.missing = lambda t: range(1, 22) if FAULT_AT <= t < FAULT_AT + 60 else []
    assert world.run(FAULT_AT + 200).rules_fired <= {"chain_stalled"}


def test_an_unknown_number_of_authorities_is_unknown():
    assert safety.quorum_at_risk(chain(view({"metrics_up": False}))) is UNKNOWN
