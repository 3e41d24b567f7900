"""What secrets look like in text. PURE: patterns, each with the group `secret` for what must not leave.

Each has hints too: small letters of which one stands in every text it can match, so that most texts need not be searched.

Shapes are those that the issuers document. Block hashes and SS58 addresses are public and match none of them by themselves. Every pattern
reads a text in time linear to its length.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec

MARK = "<redacted-"
"""How a placeholder begins; no pattern redacts one again."""

_TOKENS = (
    r"sk-[A-Za-z0-9_-]{12,}",  # OpenAI, Anthropic, DeepSeek, OpenRouter
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}",  # Stripe
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
    r"glpat-[A-Za-z0-9_-]{16,}",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9._-]{20,}",
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}",
    r"hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_-]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}",
    r"eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",  # JSON Web Token
    r"[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}",  # Telegram bot
)
_NAMES = (
    r"(?:password|passwd|passphrase|pwd|secret|token|api[_ -]?key|apikey|access[_-]?key|secret[_-]?key|secret[_-]?access[_-]?key"
    r"|auth[_-]?key|signing[_-]?key|encryption[_-]?key|client[_-]?secret|credentials?|requirepass)"
)
_HEX = r"(?:0[xX])?(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{64})(?![0-9a-zA-Z])"
_HEX_NAMES = r"(?:seed|secret|private|priv[_ -]?key|suri|node[_ -]?key|entropy|keypair|mini[_ -]?secret)"
_BETWEEN = (
    r"(?:[^\w<]|_|(?:phrase|hex|raw|value|bytes|key|uri|is|was|are|as|of|for|in|my|the|our|its|this|validator|account|node"
    r"|[es][dr]25519|ecdsa|[0-9]{1,4})(?![A-Za-z0-9]))"
)
"""What may stand between such a name and its digits: marks, and words that do not name something else, such as a block's hash."""

_NAME_HINTS = ("pass", "pwd", "secret", "token", "key", "credential")
_SEED_HINTS = ("seed", "secret", "priv", "suri", "key", "entropy")
_TOKEN_SHAPES = (
    "sk- sk_ rk_ pk_ whsec_ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- akia asia aiza ya29. xox xapp- hf_ npm_ pypi- gsk_ xai- eyj :aa"
)
_TOKEN_HINTS = tuple(_TOKEN_SHAPES.split())

PATTERNS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        "pem",
        ("-----begin",),
        re.compile(
            r"(?P<secret>-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?:(?!-----)[\s\S])*-----END [A-Z0-9 ]{0,80}-----|[A-Za-z0-9+/=\s\\:,-]*))"
        ),
    ),
    ("password", ("://",), re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@\"'<>]{0,256}:(?P<secret>[^\s/\"'<>]{1,512})@")),
    ("token", ("hooks.slack",), re.compile(r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9/_-]{8,})")),
    ("token", ("discord",), re.compile(r"discord(?:app)?\.com/api/webhooks/(?P<secret>[0-9]{5,}/[A-Za-z0-9_-]{8,})")),
    ("token", _TOKEN_HINTS, re.compile(rf"(?<![A-Za-z0-9_-])(?P<secret>{'|'.join(_TOKENS)})")),
    (
        "token",
        ("authorization",),
        re.compile(r"(?i:authorization)[\"']?\s{0,4}[:=]\s{0,4}[\"']?[A-Za-z]{3,16}\s{1,4}(?P<secret>[A-Za-z0-9._~+/=-]{3,})"),
    ),
    ("token", ("bearer",), re.compile(r"\bBearer\s{1,8}(?P<secret>[A-Za-z0-9._~+/=-]{8,})")),
    (
        "token",
        ("bearer", "basic", "apikey"),
        re.compile(r"\b(?i:bearer|basic|apikey)\s{1,8}(?P<secret>(?=[^\s\"']{0,200}[0-9=_.]|[^\s\"']{20})[A-Za-z0-9._~+/=-]{8,})"),
    ),
    ("seed", _SEED_HINTS, re.compile(rf"(?<!{MARK})(?i:{_HEX_NAMES})(?i:{_BETWEEN}){{0,48}}?(?<![0-9A-Za-z])(?P<secret>{_HEX})")),
    (
        "seed",
        _SEED_HINTS,
        re.compile(
            rf"(?<![0-9A-Za-z])(?P<secret>{_HEX})"
            rf"(?=[\s\"',)\]]{{0,3}}(?:\(|=\s?|(?:is|was|as|are)\s{{1,4}})(?:(?:my|the|our|a|its|their)\s{{1,4}})?(?i:{_HEX_NAMES})\b)"
        ),
    ),
    (
        "password",
        _NAME_HINTS,
        re.compile(
            rf"(?i:{_NAMES})[\"']?(?:\s{{0,4}}(?:=>|:=|=|:)|\s(?i:is|was)(?=\s[\"']|\s\S{{0,80}}[0-9!@#$%^&*_]))\s{{0,4}}"
            rf"(?:\"(?P<secret>(?!{MARK})[^\"\n]{{1,2000}})\"|'(?P<secret2>(?!{MARK})[^'\n]{{1,2000}})'"
            rf"|(?P<secret3>(?!{MARK}|[\"'])[^\s\"',;]{{3,2000}}))"
        ),
    ),
    ("password", _NAME_HINTS, re.compile(rf"--?(?i:{_NAMES})\s{{1,4}}(?P<secret>(?!{MARK}|-)[^\s]{{3,2000}})")),
)

PRIVATE_ADDRESS = re.compile(
    r"(?<![0-9A-Za-z.:])(?P<v4>(?:10|172|192)(?:\.[0-9]{1,3}){3})(?![0-9A-Za-z]|\.[0-9])"
    r"|(?<![0-9A-Za-z:])(?P<v6>[fF][cdCD][0-9a-fA-F]{2}:[0-9a-fA-F:]{1,40}(?:(?:\.?[0-9]{1,3}){4})?)(?![0-9A-Za-z:])"
)
"""Candidates: whether one is private is for `ipaddress` to say."""

_NOT_IN_THE_LIST = (
    "the|and|for|with|are|was|has|had|but|not|from|been|were|its|our|their|them|than|which|while|would|could|into|onto|does|did"
)
_SEPARATOR = r"(?:[\s,;\"'`|/_\[\]-]|\\n){1,8}(?:\(?[0-9]{1,2}[.):]?[ \t\"']{0,4})?"
_WORD = rf"(?!(?:{_NOT_IN_THE_LIST})(?![A-Za-z]))[A-Za-z]{{3,8}}(?![A-Za-z])"
MNEMONIC = re.compile(rf"(?<![A-Za-z])(?P<secret>{_WORD}(?:{_SEPARATOR}{_WORD}){{11,}}(?:/{{1,3}}[^\s/\"']+)*)")
"""Twelve or more words in a row that could be of the BIP-39 list: 3 to 8 letters, none of them an English particle that is not in it.

A derivation path and a password behind it (//hard/soft///password) belong to it.
"""
WORD = re.compile(r"[A-Za-z]+")
FEWEST_WORDS = 12


@cache
def word_list() -> frozenset[str] | None:
    """The English BIP-39 words of the package `mnemonic`, where somebody installed it; None where not: then the shape decides."""
    if find_spec("mnemonic") is None:
        return None
    words = import_module("mnemonic").Mnemonic("english").wordlist
    return frozenset(words) if len(words) == 2048 else None
