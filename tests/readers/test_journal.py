"""A node's log: its own words count, somebody else's do not."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gizzi.readers import journal
from gizzi.readers.journal import Idle
from gizzi.readers.systemd import UnreadableUnit

KEY = "41ef4a31eb7dc1e01f4630604e1908e644d7cdee3f66a60f98d6d59605326f8b"
VOTES = (
    "first: (Prevote { target_hash: 0x69d58870f763a9faa3ee61230f3ba8ce5e2d043b64bbcdb8c5aa9ecde596c6f1, target_number: 5545149 }, "
    "Signature(f7b3682ed175611a5a51ed80dfd91a66d7d8bcb47234159ce35156ff368b5bbe661c1478ee869f0482ad9e79e3c4c8369400fb13f685f5a9d170139ddbef4a0a"
    ")), second: (Prevote { target_hash: 0x746dbc5007833143af4762dd25d4793a2aafbca2eec472d6145ea7506074d2bb, target_number: 5545142 }, "
    "Signature(8a23a27266cd5a5510b807267b5f434d916c2897059b657b7ea3e0449d6539cc9c1014353671971db527c084cca57c89fa2c30227c7bc16ebaa8baa498be3a0c"
    ")) }    "
)
PREVOTE = (
    "Detected prevote equivocation in the finality worker: Equivocation { round_number: 7146, "
    f"identity: Public({KEY} (12VTCPo8...)), {VOTES}"
)
BABE = f"👶 Slot author Public({KEY} (5Gbkysfa...)) is equivocating at slot 271007679 with headers 0x04ed…4512 and 0x22e3…877e"
AURA = "Slot author is equivocating at slot 5 with headers 0x04ed and 0x22e3"
OWN = 'Error reporting prevote equivocation: Safety("Refraining from sending equivocation report for our own equivocation.")'
STAMP = "2021-06-20 14:10:03 "
IDLE = "💤 Idle (31 peers), best: #24975065 (0xff9d…8fae), finalized #24975062 (0x8477…5ffb), ⬇ 1.2MiB/s ⬆ 1.1MiB/s    "
GENESIS = "🔨 Initializing Genesis block/state (state: 0x4bba…5ae2, header-hash: 0xbbe6…1d84)"
STARTED = "🏷  Local node identity is: 12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x"


def logged(*messages: str, writer: str = "polkadot", at: float = 1795380810.0) -> str:
    """As `journalctl --output=short-unix --no-hostname` prints them, one second apart."""
    return "".join(f"{at + index:.6f} {writer}[995]: {message}\n" for index, message in enumerate(messages))


def message(text: str) -> str:
    (line,) = journal.lines(logged(text))
    return line.message


def test_a_line() -> None:
    (line,) = journal.lines("1795380810.733665 polkadot[13112]: 2021-06-20 14:10:03 " + IDLE + "\n")
    assert (line.at, line.writer) == (1795380810.733665, "polkadot")
    assert journal.idle(line.message) == Idle(31, 24975065, 24975062)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        STAMP,
        "2023-01-01 12:00:00.123 ",
        "2023-01-01 12:00:00.123  INFO tokio-runtime-worker grandpa: ",
        "2020-09-02 11:09:34.881 main INFO sc_service::client::client  ",
        "2022-01-01 10:00:00 [Relaychain] ",
        "2023-01-01 12:00:00.123  WARN tokio-runtime-worker sc_service::client: [Parachain] ",
        "\x1b[2m2021-06-20 14:10:03\x1b[0m \x1b[33m",
    ],
)
def test_what_a_node_writes_before_its_message(prefix: str) -> None:
    text = logged(prefix + PREVOTE, prefix + BABE, prefix + GENESIS, prefix + IDLE, prefix + STARTED)
    found = journal.equivocations(text)
    assert (found.count, found.ids) == (2, (f"0x{KEY}",))
    assert journal.genesis(text) is True
    assert journal.idle([line.message for line in journal.lines(text)][3]) == Idle(31, 24975065, 24975062)


def test_all_kinds_of_equivocation() -> None:
    found = journal.equivocations(logged(*(STAMP + text for text in (PREVOTE, PREVOTE.replace("prevote", "precommit"), BABE, AURA, OWN))))
    assert (found.count, found.ids, found.own) == (4, (f"0x{KEY}",), 1)


def test_the_beefy_worker_knows_its_own_too() -> None:
    assert journal.equivocations(logged(STAMP + "🥩 Skipping report for own equivocation")).own == 1


@pytest.mark.parametrize(
    ("identity", "id_"),
    [
        (f"Public({KEY.upper()})", f"0x{KEY}"),
        (f"Public({KEY} (5Gbkysfa...))", f"0x{KEY}"),
        ("Public(5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY)", "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"),
        ("Public(8a9a9d8a...)", "Public(8a9a9d8a...)"),
        ("AuthorityId(7)", "AuthorityId(7)"),
    ],
)
def test_identities(identity: str, id_: str) -> None:
    text = f"Detected prevote equivocation in the finality worker: Equivocation {{ round_number: 1, identity: {identity}, first: (x"
    assert journal.equivocations(logged(text)).ids == (id_,)


def test_an_equivocation_in_other_words_still_counts() -> None:
    found = journal.equivocations(logged("Detected prevote equivocation in the finality worker: something new"))
    assert (found.count, found.ids) == (1, ())


@pytest.mark.parametrize(
    "text",
    [
        "💔 Peer 12D3KooW says: " + PREVOTE,
        STAMP + "discovered agent " + STAMP + PREVOTE,
        "Reported: 👶 " + BABE,
        "a" + PREVOTE,
        "[" + PREVOTE + "]",
        '{"msg": "' + PREVOTE + '"}',
        "> " + PREVOTE,
        "Report 12D3KooW: " + OWN,
        "node named '" + GENESIS + "'",
        "name: " + STARTED,
    ],
)
def test_somebody_elses_words_inside_a_message_do_not_count(text: str) -> None:
    found = journal.equivocations(logged(text, STAMP + text))
    assert (found.count, found.ids, found.own) == (0, (), 0)
    assert journal.genesis(logged(text)) is None


def test_continued_lines_and_lines_that_imitate_a_new_entry_do_not_count() -> None:
    inner = logged(PREVOTE)
    text = logged("a message of two lines") + " " * 30 + inner + "-- Boot 3d1219c7c4c5404aaa1f6d2a48adfda4 --\n" + PREVOTE + "\n"
    assert [line.message for line in journal.lines(text)] == ["a message of two lines"]


def test_what_systemd_writes_is_not_the_nodes() -> None:
    assert journal.equivocations(logged(PREVOTE, writer="systemd")).count == 0


def test_misbehaving_peers() -> None:
    peer = "12D3KooWSCufgHzV4fCwRijfH2k3abrpAJxTKxEvN1FDuRXA2U9x"
    bad = [
        f"Report {peer}: -2147483648 to -2147483643. Reason: Same block request multiple times. Banned, disconnecting.",
        f'PeerId("{peer}") banned, disconnecting, reason: Genesis mismatch',
        f"💔 Verification failed for block 0x1f…2e received from ({peer}): BadSignature",
        f"💔 Verification failed for block 0x1f…2e received from peer: {peer}, BadSignature",
        f"💔 Block 0x1f…2e received from peer {peer} has been blacklisted",
        f"Reserved peer id `{peer}` is on a different chain (our genesis: 0x8db6…31bf theirs: 0xaca1…8c79)",
        f"Bootnode with peer id `{peer}` is on a different chain (our genesis: 0x8db6…31bf theirs: 0xaca1…8c79)",
    ]
    fine = [IDLE, PREVOTE, "💔 Verification failed for block 0x1f…2e: BadSignature", f"🔍 {peer} said 'banned, disconnecting, reason: '"]
    assert journal.abuse_lines(logged(*(STAMP + text for text in bad + fine))) == len(bad)


@pytest.mark.parametrize(
    ("messages", "told"),
    [([STARTED], False), ([GENESIS, STARTED], True), ([GENESIS], True), ([], None), ([IDLE, "👤 Role: AUTHORITY"], None)],
)
def test_a_database_made_anew(messages: list[str], told: bool | None) -> None:
    assert journal.genesis(logged(*(STAMP + text for text in messages))) is told


UNIT = "flare-node.service"


@pytest.mark.parametrize(
    ("messages", "unclean"),
    [
        ([f"Started {UNIT} - Node.", f"Stopping {UNIT} - Node...", f"{UNIT}: Deactivated successfully.", f"Stopped {UNIT} - Node."], False),
        (["Started Node.", f"{UNIT}: Succeeded.", "Stopped Node."], False),
        ([f"Started {UNIT} - Node.", f"Stopping {UNIT} - Node...", f"Stopped {UNIT} - Node."], False),
        ([f"{UNIT}: Deactivated successfully.", f"Stopped {UNIT} - Node.", f"Started {UNIT} - Node."], True),  # then the power went
        (["Started Node.", f"{UNIT}: Main process exited, code=killed, status=9/KILL", f"{UNIT}: Failed with result 'signal'."], True),
        (["Started Node.", f"{UNIT}: Failed with result 'oom-kill'.", "Stopped Node."], True),
        (["Started Node.", f"{UNIT}: Failed with result 'timeout'.", "Stopped Node."], True),
        (["Started Node.", f"{UNIT}: Failed with result 'exit-code'."], None),
        (["Stopped Node."], None),
        ([], None),
    ],
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_how_the_last_run_ended(messages: list[str], unclean: bool | None, newest_first: bool) -> None:
    entries = logged(*messages, writer="systemd").splitlines(keepends=True)
    assert journal.ended_unclean("".join(reversed(entries) if newest_first else entries)) is unclean


def test_a_node_cannot_speak_for_systemd() -> None:
    text = logged("Started Node.", writer="systemd") + logged(f"{UNIT}: Deactivated successfully.", at=1795380900.0)
    assert journal.ended_unclean(text) is True


def test_imports() -> None:
    assert journal.imported(message(STAMP + "🏆 Imported #30306957 (0x8114…bc4f → 0xc224…9e34)    ")) == 30306957
    assert journal.imported(message(STAMP + "✨ Imported #8302347 (0x296d…fb2f)")) == 8302347
    assert journal.imported(message("note: 🏆 Imported #1 ")) is None
    assert journal.idle(message("🏆 Imported #1 (0x1)")) is None


def test_lines_are_cut_and_counted() -> None:
    long = STAMP + PREVOTE + "x" * 100_000
    text = logged(long) * (journal.MAX_LINES + 50)
    found = list(journal.lines(text))
    assert len(found) == journal.MAX_LINES
    assert max(len(line.message) for line in found) <= journal.MAX_LINE_CHARS
    assert journal.equivocations(text).ids == (f"0x{KEY}",)


def test_invented_identities_are_counted_but_not_all_kept() -> None:
    text = logged(*(PREVOTE.replace(KEY, f"{number:064x}") for number in range(300)))
    found = journal.equivocations(text)
    assert found.count == 300
    assert len(found.ids) == journal.MAX_IDS


def test_bytes_that_are_no_text_arrive_replaced() -> None:
    text = logged(STAMP + "peer \udcff\ufffd\x00\x1b[31m\x07 x")
    assert [line.message for line in journal.lines(text)] == ["peer \udcff\ufffd x"]


def test_the_commands() -> None:
    assert journal.readable_command("systemctl", "flare-node") == [
        "journalctl",
        "--unit=flare-node",
        "--quiet",
        "--no-pager",
        "--no-hostname",
        "--all",
        "--output=short-unix",
        "--lines=1",
    ]
    user = journal.equivocations_command("systemctl --user", "substrate@val6")
    assert user[1] == "--user-unit=substrate@val6"
    assert user[-2:] == ["--since=-1h", f"--grep={journal.EQUIVOCATION_GREP}"]
    start = journal.start_command("systemctl", "flare-node", datetime(2026, 3, 1, 23, 55, 0))
    assert start[-3:-1] == ["--since=2026-03-01 23:55:00", "--until=2026-03-02 00:05:00"]
    with pytest.raises(UnreadableUnit):
        journal.end_command("systemctl", "--help")


PIECES = st.sampled_from([PREVOTE, BABE, AURA, OWN, GENESIS, STARTED, IDLE, STAMP, "[Relaychain] ", " INFO ", "💔 ", ": ", "Public(", "\n"])
ENTRIES = st.lists(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=5).map("".join), max_size=8).map(lambda texts: logged(*texts))


@given(st.one_of(st.text(), ENTRIES))
def test_any_text_is_read(text: str) -> None:
    found = journal.equivocations(text)
    assert 0 <= len(found.ids) <= found.count
    assert journal.genesis(text) in (True, False, None)
    assert journal.ended_unclean(text) in (True, False, None)
    journal.abuse_lines(text)
    for line in journal.lines(text):
        journal.idle(line.message)
        journal.imported(line.message)
