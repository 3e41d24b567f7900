"""Who signs: one root key, which vouches for the others, and one key for each author. Private keys never enter the database.

Beside the keys lies the `head` file: how far the memory was when it was last added to from here. It finds what no signature can: that
the whole store was put back to an older state, or emptied.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.engine import make_url

from gizzi.errors import StoreError

T = TypeVar("T")
ROOT_FILE = "root.key"
HEAD_FILE = "head"

Heads = dict[str, tuple[int, str]]
"""A memory's random name -> how many entries it had, and the hash of the last."""


class Signer:
    """A private key, and its public key in hexadecimal."""

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._key.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        return self._key.sign(message).hex()


class Keys(Protocol):
    @property
    def place(self) -> str:
        """Where they lie, for a person."""
        ...

    def root(self) -> Signer:
        """Made at first use, as every other. Raises StoreError where it cannot be read or made."""
        ...

    def author(self, name: str) -> Signer: ...

    def known_root(self) -> str | None:
        """The root's public key, if there is one here already; makes none."""
        ...

    def heads(self) -> Heads: ...

    def note(self, memory: str, entries: int, hash_: str) -> None:
        """The memory has that many entries now. Fewer than noted already change nothing."""
        ...


class SeededKeys:
    """Keys that follow from a seed, and lie nowhere: for a store in memory. Whoever knows the seed can sign."""

    place = "no folder: they follow from a seed"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._signers: dict[str, Signer] = {}
        self._heads: Heads = {}

    def root(self) -> Signer:
        return self._signer("root", "")

    def author(self, name: str) -> Signer:
        return self._signer("author", name)

    def known_root(self) -> str | None:
        return self.root().public

    def heads(self) -> Heads:
        return self._heads

    def note(self, memory: str, entries: int, hash_: str) -> None:
        if entries > self._heads.get(memory, (0, ""))[0]:
            self._heads[memory] = entries, hash_

    def _signer(self, kind: str, name: str) -> Signer:
        place = f"{kind}/{name}"
        if place not in self._signers:
            self._signers[place] = Signer(hashlib.sha256(f"{self._seed}/{place}".encode()).digest())
        return self._signers[place]


class FolderKeys:
    """One file of mode 0600 a key, in a folder of mode 0700; several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)
        self._signers: dict[Path, Signer] = {}

    def root(self) -> Signer:
        return self._signer(self.folder / ROOT_FILE)

    def author(self, name: str) -> Signer:
        shown = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        return self._signer(self.folder / f"author-{shown}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.key")

    def known_root(self) -> str | None:
        return self.root().public if self._guarded(lambda: (self.folder / ROOT_FILE).exists()) else None

    def heads(self) -> Heads:
        return self._guarded(self._read_heads)

    def note(self, memory: str, entries: int, hash_: str) -> None:
        def work() -> None:
            heads = self._read_heads()
            if entries > heads.get(memory, (0, ""))[0]:
                self._replace(self.folder / HEAD_FILE, json.dumps({**heads, memory: (entries, hash_)}))

        self._guarded(work)

    def _read_heads(self) -> Heads:
        try:
            found = json.loads((self.folder / HEAD_FILE).read_text())
            return {str(memory): (int(entries), str(hash_)) for memory, (entries, hash_) in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            raise StoreError(f"{self.folder / HEAD_FILE} is not what Gizzi wrote; remove it once you know why") from None

    def _signer(self, file: Path) -> Signer:
        if file not in self._signers:
            self._signers[file] = self._guarded(lambda: self._read(file))
        return self._signers[file]

    def _read(self, file: Path) -> Signer:
        if not file.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make(file, secrets.token_hex(32))
        try:
            return Signer(bytes.fromhex(file.read_text().strip()))
        except ValueError:
            raise StoreError(f"{file} holds no key of the memory; put it back from your backup") from None

    def _make(self, file: Path, text: str) -> None:
        """Write a file that is whole or not there; whoever is first wins."""
        draft = self._draft(file, text)
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()

    def _replace(self, file: Path, text: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._draft(file, text).replace(file)

    def _draft(self, file: Path, text: str) -> Path:
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(f"{text}\n")
            out.flush()
            os.fsync(out.fileno())
        return draft

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise StoreError(f"the memory's keys in {self.folder}: {why}; use the account that runs the daemon") from None


def keys_of(store_url: str, state_folder: Path, seed: int = 0) -> Keys:
    """The keys for that store: beside an SQLite file, in the state folder for a server, nowhere for a store in memory."""
    url = make_url(store_url)
    if url.get_backend_name() != "sqlite":
        place = f"{url.host or 'local'}-{url.port or 'default'}-{url.database or url.username or 'default'}"
        return FolderKeys(state_folder / "keys" / re.sub(r"[^A-Za-z0-9._-]+", "-", place).strip("."))
    if url.database in (None, "", ":memory:"):
        return SeededKeys(seed)
    return FolderKeys(Path(f"{url.database}.keys"))
