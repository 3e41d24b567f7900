from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers.jsonrpc import grandpa_round_state
from gizzi.sim.chain import SESSION_PAUSE_S, SESSION_SLOTS, SESSION_WINDOW_S, SimChain
from gizzi.sim.fleet import ChainPlan
from tools.simulated import START_AT, Lab, fault


def chain_of(voters: int = 21, block_time_s: float = 6.0, seed: int = 1) -> SimChain:
    return SimChain("sim", [f"id{i}" for i in range(voters)], seed=seed, block_time_s=block_time_s, start_at=START_AT)


@given(st.integers(0, 2**40), st.booleans(), st.integers(0, 10_000))
def test_a_hash_leads_back_to_its_height(height: int, forked: bool, seed: int) -> None:
    chain = chain_of(seed=seed)
    block_hash = chain.hash_at(height, forked)
    assert len(block_hash) == 66
    assert chain.height_of(block_hash, height) == (height, forked)
    assert chain.height_of(block_hash, height - 1) is None


def test_hashes_of_fork_other_heights_and_other_chains_differ() -> None:
    chain, other = chain_of(), chain_of(seed=2)
    assert len({chain.hash_at(5), chain.hash_at(5, True), chain.hash_at(6), other.hash_at(5)}) == 4
    assert chain.height_of("0xnothing", 10) is None and chain.height_of("0x" + "0" * 64, 10) is None


def test_a_healthy_chain_makes_a_block_a_slot_and_finalizes_two_or_three_behind() -> None:
    lab = Lab()
    chain = lab.fleet.chains["sim"]
    first = chain.height
    for slot in range(1, 200):
        lab.go_to(6 * slot)
        assert chain.height == first + slot
        if slot > 1:
            assert 2 <= chain.height - chain.finalized <= 4


def test_a_gap_delays_everything_after() -> None:
    usual, late = Lab(seed=3), Lab(fault("slot_gap", 100, None, for_s=60), seed=3)
    for since_s in (99, 130, 159, 400, 1000):
        usual.go_to(since_s)
        late.go_to(since_s)
    assert usual.fleet.chains["sim"].height - late.fleet.chains["sim"].height == 10


def test_a_session_change_raises_the_set_and_pauses_the_votes() -> None:
    lab = Lab(fault("session_change", 300, None))
    chain = lab.go_to(299).fleet.chains["sim"]
    before = chain.set_id
    assert not chain.in_session_change(lab.clock.at)
    lab.go_to(301)
    assert chain.set_id == before + 1 and chain.round == 1
    seen = grandpa_round_state(chain.round_state(lab.clock.at))
    assert seen["grandpa_set_id"] == before + 1 and len(seen["grandpa_missing"]) == 21
    assert lab.fleet.facts(1)["in_session_change"]
    lab.go_to(300 + SESSION_PAUSE_S + 12)
    assert grandpa_round_state(chain.round_state(lab.clock.at + 3))["grandpa_missing"] == ()
    assert not lab.go_to(301 + SESSION_WINDOW_S).fleet.facts(1)["in_session_change"]


def test_sessions_change_by_themselves() -> None:
    lab = Lab()
    chain = lab.fleet.chains["sim"]
    first = chain.set_id
    lab.go_to(SESSION_SLOTS * 6 * 2)
    assert chain.set_id == first + 2


def test_votes_come_in_over_a_round_and_the_absent_stay_missing() -> None:
    lab = Lab(fault("not_voting", 60, [6]))
    lab.go_to(120)
    chain, absent = lab.fleet.chains["sim"], lab.validators[6].authority_id
    sizes = set()
    for tenth in range(300):
        lab.go_to(120 + tenth / 10)
        seen = grandpa_round_state(chain.round_state(lab.clock.at))
        assert seen["grandpa_total_weight"] == 21 and absent in seen["grandpa_missing"]
        sizes.add(len(seen["grandpa_missing"]))
    assert sizes >= {1, 21}, "a new round begins with everybody missing and ends with the absent alone"


def test_finality_stops_without_two_thirds_and_goes_on_with_them() -> None:
    lab = Lab(fault("node_down", 60, list(range(1, 8)), 600))
    chain = lab.go_to(120).fleet.chains["sim"]
    finalized, round_, height = chain.finalized, chain.round, chain.height
    lab.go_to(600)
    assert (chain.finalized, chain.round) == (finalized, round_) and chain.height > height
    lab.go_to(720)
    assert chain.height - chain.finalized <= 4


def test_six_of_21_may_be_missing() -> None:
    lab = Lab(fault("node_down", 60, list(range(1, 7))))
    chain = lab.go_to(900).fleet.chains["sim"]
    assert chain.height - chain.finalized <= 6


def test_a_stalled_finality_stands_while_votes_and_blocks_go_on() -> None:
    lab = Lab(fault("chain_finality_stall", 60, None, 300))
    chain = lab.go_to(70).fleet.chains["sim"]
    finalized, rounds, height = chain.finalized, chain.rounds, chain.height
    lab.go_to(350)
    assert chain.finalized == finalized and chain.rounds > rounds + 30 and chain.height > height + 30
    lab.go_to(400)
    assert chain.finalized > finalized + 40


def test_a_side_chain_stops_with_its_parent_and_not_the_other_way() -> None:
    plans = (ChainPlan(id="flare"), ChainPlan(id="btc-pbc", parent="flare", validators=(15, 16, 17)))
    lab = Lab(fault("slot_gap", 60, None, chain="flare", for_s=300), fault("slot_gap", 900, None, chain="btc-pbc", for_s=300), chains=plans)
    flare, side = lab.fleet.chains["flare"], lab.fleet.chains["btc-pbc"]
    lab.go_to(120)
    heights = flare.height, side.height
    lab.go_to(350)
    assert (flare.height, side.height) == heights
    lab.go_to(1100)
    parent, child = flare.height, side.height
    lab.go_to(1150)
    assert flare.height > parent and side.height == child


def test_the_first_chain_takes_the_rest_and_parents_may_be_listed_later() -> None:
    lab = Lab(chains=(ChainPlan(id="btc-pbc", parent="flare", validators=(2, 4)), ChainPlan(id="flare")), validators=5)
    assert {n: v.chain for n, v in lab.validators.items()} == {1: "flare", 2: "btc-pbc", 3: "flare", 4: "btc-pbc", 5: "flare"}
    assert {c.id: (c.parent, c.authorities) for c in lab.fleet.settings_chains()} == {"btc-pbc": ("flare", 2), "flare": (None, 3)}


def test_missing_authors_leave_slots_empty() -> None:
    lab = Lab(fault("node_down", 0, list(range(1, 11))))
    chain = lab.fleet.chains["sim"]
    first = chain.height
    lab.go_to(6 * 1000)
    assert 450 < chain.height - first < 800


def test_more_authorities_than_we_watch() -> None:
    lab = Lab(authorities=50)
    chain = lab.go_to(600).fleet.chains["sim"]
    assert grandpa_round_state(chain.round_state(lab.clock.at))["grandpa_total_weight"] == 50
    assert len({*chain.voters}) == 50
