from __future__ import annotations

import base64
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gizzi.models.redact import Redacted, Redactor, Restorer, is_private

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
SS58 = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
HASH = "0x" + "9f" * 32
WORD_LINE = "abandon ability able about above absent absorb abstract absurd abuse access accident account accuse achieve acid across act"
WORDS = WORD_LINE.split()

texts = st.text(string.ascii_letters + string.digits + " .,:;-_/()[]\n\"'<>0x", max_size=120)


def of(alphabet: str, least: int, most: int | None = None) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most or least)


def password(alphabet: str = LETTERS) -> st.SearchStrategy[str]:
    """No word that stands in a placeholder."""
    return of(alphabet, 5, 29).map(lambda text: f"{text}9")


def planted(shape: str, value: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    """(what stands in the text, the secret in it)"""
    return value.map(lambda secret: (shape.replace("@@", secret), secret))


jwt = st.builds(lambda a, b, c: f"eyJ{a}.eyJ{b}.{c}", of(LETTERS, 10, 40), of(LETTERS, 10, 40), of(LETTERS + "_-", 10, 40))
pem_body = st.binary(min_size=60, max_size=200).map(lambda raw: base64.encodebytes(raw).decode().strip())
mnemonic = st.sampled_from((12, 15, 18, 21, 24)).flatmap(lambda n: st.lists(st.sampled_from(WORDS), min_size=n, max_size=n))
SECRETS = st.one_of(
    planted("@@", of(LETTERS, 40).map(lambda s: f"sk-{s}")),
    planted("@@", of(LETTERS + "-_", 40).map(lambda s: f"sk-ant-api03-{s}")),
    planted("@@", of(LETTERS, 36).map(lambda s: f"ghp_{s}")),
    planted("@@", of(LETTERS + "_", 60).map(lambda s: f"github_pat_{s}")),
    planted("@@", of(string.ascii_uppercase + string.digits, 16).map(lambda s: f"AKIA{s}")),
    planted("@@", of(string.digits, 10).flatmap(lambda n: of(LETTERS, 24).map(lambda s: f"xoxb-{n}-{s}"))),
    planted("https://hooks.slack.com/services/@@", of(LETTERS, 24).map(lambda s: f"T0000/B0000/{s}")),
    planted("@@", jwt),
    planted("Authorization: Bearer @@", of(LETTERS + "-._~", 8, 60)),
    planted("'authorization': 'Basic @@'", of(LETTERS, 12, 60)),
    planted("Bearer @@", of(LETTERS, 8, 60)),
    planted("-----BEGIN PRIVATE KEY-----\n@@\n-----END PRIVATE KEY-----", pem_body),
    planted("-----BEGIN OPENSSH PRIVATE KEY-----\n@@", pem_body),
    planted("-----BEGIN EC PRIVATE KEY-----\\n@@\\n-----END EC PRIVATE KEY-----", of(LETTERS + "+/", 64)),
    planted("Secret seed:       0x@@", of(HEX, 64)),
    planted("secret seed of validator 6 is 0x@@", of(HEX, 64)),
    planted('{"private_key": "@@"}', of(HEX, 64)),
    planted("Private key (hex): 0x@@", of(HEX, 128)),
    planted("0x@@ is my seed", of(HEX, 64)),
    planted("--node-key @@", of(HEX, 64)),
    planted('--suri "@@"', mnemonic.map(" ".join)),
    planted("@@", mnemonic.map(" ".join)),
    planted("@@", mnemonic.map("\n".join)),
    planted('["@@"]', mnemonic.map('", "'.join)),
    planted("Phrase: @@", mnemonic.map(lambda words: " ".join(f"{i}. {w}" for i, w in enumerate(words, 1)))),
    planted("postgres://gizzi:@@@db.example:5432/gizzi", password(LETTERS + "!$%^&*()@:")),
    planted("PASSWORD=@@", password()),
    planted('"api_key": "@@"', password(LETTERS + " ,;")),
    planted("AWS_SECRET_ACCESS_KEY=@@", of(LETTERS + "+/", 40)),
    planted("the password is @@", of(LETTERS, 5, 20).map(lambda s: s + "7!")),
    planted("accessToken: '@@'", password()),
)


@settings(max_examples=600)
@given(texts, SECRETS, texts)
def test_no_planted_secret_survives(before: str, secret: tuple[str, str], after: str) -> None:
    shown, value = secret
    assume(not kept(value, f"{before} {shown.replace(value, '')} {after}"))
    redactor = Redactor(private_addresses=True)
    sent = redactor.redact(f"{before} \n{shown}\n {after}")
    assert not kept(value, sent.text), sent.text
    assert sum(sent.found.values()) >= 1
    assert not kept(value, redactor.restore(sent.text))


def kept(secret: str, text: str) -> bool:
    """Whether eight characters in a row of the secret stand in the text (all of it, where it has less)."""
    size = min(8, len(secret))
    return any(secret[i : i + size] in text for i in range(len(secret) - size + 1))


@given(st.lists(SECRETS, min_size=1, max_size=5), texts)
def test_placeholders_are_stable_and_unique(secrets: list[tuple[str, str]], between: str) -> None:
    text = f"\n{between}\n".join(shown for shown, _ in secrets)
    redactor = Redactor(private_addresses=True)
    first = redactor.redact(text)
    assert redactor.redact(text) == first
    assert Redactor(private_addresses=True).redact(text) == first
    assert redactor.redact(first.text).text == first.text, "what is redacted is left as it is"


@given(
    of(HEX, 64),
    st.sampled_from(["Imported #12 (0x@@)", "block hash: 0x@@", "0x@@", "finalized head 0x@@ of seed node 3", "genesis\n0x@@\n"]),
)
def test_hashes_and_public_addresses_stay(digits: str, shape: str) -> None:
    text = f"{shape.replace('@@', digits)} by {SS58}, state root {HASH}"
    assert Redactor(private_addresses=True).redact(text) == Redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "Is validator 6 healthy?",
        "Should we restart validator 6? It has 2 peers and finality lag of 150 blocks.",
        "💤 Idle (31 peers), best: #24975065 (0xff9d…8fae), finalized #24975062 (0x8477…5ffb), ⬇ 1.2MiB/s ⬆ 1.1MiB/s",
        'token_env = "GIZZI_API_TOKEN"; max_tokens: 4096; tokens 5',
        "the node is a light bearer client; basic understanding of secret sharing; the password is wrong",
        "Substrate keeps the session keys in a keystore; Public key (hex): " + HASH,
        'substrate_sub_libp2p_peers_count{chain="flare"} 2 task_group="default"',
        "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp connected via /dns/seed.example/tcp/30333",
        "http://validator-6.example:9944/path?block=@12 and amqp://host:5672",
        "please look at this log and say which validators were slow, then wait for two minutes and look at it again",
    ],
)
def test_what_an_operator_writes_stays(text: str) -> None:
    assert Redactor().redact(text) == Redacted(text)


def test_what_subkey_prints() -> None:
    page = f"Secret phrase:       {' '.join(WORDS[:12])}\n  Secret seed:       0x{'fa' * 32}\n"
    page += f"  Public key (hex):  {HASH}\n  Account ID:        {HASH}\n  SS58 Address:      {SS58}\n"
    sent = Redactor().redact(page)
    assert sent.found == {"mnemonic": 1, "seed": 1}
    assert sent.text.count(HASH) == 2 and SS58 in sent.text
    assert "abandon" not in sent.text and "fafa" not in sent.text


def test_the_password_behind_a_mnemonic_goes_with_it() -> None:
    assert "hunter2" not in Redactor().redact(f"{' '.join(WORDS[:12])}//gran//0///hunter2").text


def test_with_a_word_list_ordinary_words_stay() -> None:
    run = "these lines only look like one since every word here fits into that shape"
    assert Redactor().redact(run).found == {} or Redactor().redact(run).found == {"mnemonic": 1}
    listed = Redactor(words=frozenset(WORDS))
    assert listed.redact("lines only look like some since every word here fits that shape very well").found == {}
    assert listed.redact(" ".join(WORDS[:12])).found == {"mnemonic": 1}


def test_private_addresses_go_only_where_configured_and_come_back() -> None:
    text = "10.0.0.5 asked 172.16.3.4, [fd12:3456::1]:9944 and /ip4/192.168.1.1/tcp/30333; not 172.32.1.1, 8.8.8.8 or fe80::1"
    assert Redactor().redact(text) == Redacted(text)
    redactor = Redactor(private_addresses=True)
    sent = redactor.redact(text)
    assert sent.found == {"address": 4}
    assert (
        sent.text == "<address:1> asked <address:2>, [<address:3>]:9944 and /ip4/<address:4>/tcp/30333; not 172.32.1.1, 8.8.8.8 or fe80::1"
    )
    assert redactor.restore(sent.text) == text
    assert redactor.restore("<address:2> and <address:9>") == "172.16.3.4 and <address:9>"
    assert redactor.redact("again 172.16.3.4.").text == "again <address:2>."
    assert redactor.redact("fd12:3456::1: gone").text == "<address:3>: gone"


@given(st.ip_addresses())
def test_an_address_is_private_or_it_stays(address: object) -> None:
    sent = Redactor(private_addresses=True).redact(f"{address}: asked us from {address} and [{address}]:30333")
    assert (sent.found == {"address": 3}) == is_private(str(address))


def test_a_text_cannot_claim_a_placeholder() -> None:
    redactor = Redactor(private_addresses=True)
    sent = redactor.redact("what is <address:1>? I asked 10.0.0.5")
    assert sent.text == "what is <address:1>? I asked <address:2>"
    assert redactor.restore(sent.text) == "what is <address:1>? I asked 10.0.0.5"


def test_secrets_are_not_remembered() -> None:
    redactor = Redactor(private_addresses=True)
    redactor.redact("PASSWORD=hunter22x on postgres://u:swordfish1@db.example and 10.0.0.5")
    assert "hunter22x" not in repr(vars(redactor)) and "swordfish1" not in repr(vars(redactor))


def test_a_secret_seen_once_is_taken_out_everywhere() -> None:
    sent = Redactor().redact("hunter22x, so PASSWORD=hunter22x")
    assert sent.text == "<redacted-password-1>, so PASSWORD=<redacted-password-1>"
    assert Redactor().redact("my password, so password=password").text == "my password, so password=<redacted-password-1>"


def test_a_secret_is_known_in_later_texts_of_the_conversation() -> None:
    redactor = Redactor()
    redactor.redact("PASSWORD=hunter22x")
    later = redactor.redact('it said "hunter22x". Or hunter22x: no')
    assert later.text == 'it said "<redacted-password-1>". Or <redacted-password-1>: no'
    assert later.found == {"password": 2}


def test_an_address_that_is_a_secret_does_not_come_back() -> None:
    redactor = Redactor(private_addresses=True)
    sent = redactor.redact("password=10.0.0.5 on 10.0.0.5")
    assert "10.0.0.5" not in sent.text
    assert "10.0.0.5" not in redactor.restore(sent.text)


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    redactor = Redactor(private_addresses=True)
    redactor.restore(redactor.redact(text).text)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "word ",
        "secret ",
        "password=",
        "seed: ",
        "a://",
        "-----BEGIN PRIVATE KEY-----",
        "eyJaaaaaa.",
        "10.",
        "fd00:",
        "abc 1 ",
        "\ud800",
    ],
)
def test_two_megabytes_of_anything_end(piece: str) -> None:
    Redactor(private_addresses=True).redact(piece * (2_000_000 // len(piece) // 8))


@given(
    st.lists(st.sampled_from(["<address:1>", "<address:2>", "<address:", "<addr", "<", ">", "1", "a", " ", "<address:99>", "12345678901"])),
    st.data(),
)
def test_pieces_are_restored_like_the_whole(words: list[str], data: st.DataObject) -> None:
    redactor = Redactor(private_addresses=True)
    redactor.redact("10.1.2.3 and 192.168.0.9")
    answer = "".join(words)
    back, said, at = Restorer(redactor), "", 0
    while at < len(answer):
        size = data.draw(st.integers(1, 9))
        said += back.feed(answer[at : at + size])
        at += size
    assert said + back.end() == redactor.restore(answer)


def test_only_what_may_be_a_placeholder_is_kept_back() -> None:
    back = Restorer(Redactor(private_addresses=True))
    assert [back.feed(piece) for piece in ("if a <", " b", "<add", "x", "<address:1", "2")] == ["if a ", "< b", "", "<addx", "", ""]
    assert back.end() == "<address:12"
