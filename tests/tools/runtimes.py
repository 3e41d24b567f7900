"""Real runtimes from npm packages: the metadata of Polkadot, Kusama, their Asset Hubs and a Substrate node in versions 14 to 16, and
the specification of a relay chain with its runtime and raw genesis (Rococo 2.1, with the pallets Sudo, Session and Paras).

`python tests/tools/install.py runtimes` fetches them, once, into a cache folder outside the clone (13 MB to fetch, 8 MB kept). Needs npm
and the standard library, nothing of ours.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tools.fetched import cache

METADATA = {
    name: f"package/metadata/v{version}/{chain}-hex.js"
    for version, chains in {
        14: ("polkadot", "kusama", "substrate", "substrate-contracts-node"),
        15: ("polkadot", "kusama", "substrate", "asset-hub-polkadot", "asset-hub-kusama"),
        16: ("substrate",),
    }.items()
    for chain in chains
    for name in (f"{chain}-{version}",)
}
"""Where each lies in its package. Of every real metadata there that a node of today gives."""
ROCOCO = "package/dist/connector/specs/rococo_v2_1.json"
PACKAGES = {"@polkadot/types-support@16.5.6": tuple(METADATA.values()), "@substrate/connect@0.6.5": (ROCOCO,)}
_HEX = re.compile(r"0x([0-9a-f]{1000,})")


def folder() -> Path:
    """Where they lie, or would."""
    return cache("runtimes")


def is_installed() -> bool:
    return spec().is_file()


def spec() -> Path:
    """The relay chain's specification."""
    return folder() / "rococo.json"


def metadata(name: str) -> str:
    """One of METADATA as a node gives it: 0x…"""
    return "0x" + (folder() / f"{name}.scale").read_bytes().hex()


def install() -> None:
    """Does nothing where they are installed. Raises CalledProcessError where npm fails."""
    if is_installed():
        return
    place = folder()
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        files = {path: text for package, paths in PACKAGES.items() for path, text in _fetched(package, paths, Path(scratch)).items()}
        made = Path(scratch) / "made"
        made.mkdir()
        for name, path in METADATA.items():
            (made / f"{name}.scale").write_bytes(_metadata_in(files[path]))
        (made / spec().name).write_text(files[ROCOCO])
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)


def _fetched(package: str, paths: tuple[str, ...], scratch: Path) -> dict[str, str]:
    """Those files of a package, as text."""
    into = Path(tempfile.mkdtemp(dir=scratch))
    subprocess.run(["npm", "pack", "--silent", package], cwd=into, check=True, stdout=subprocess.DEVNULL)
    (archive,) = into.glob("*.tgz")
    found: dict[str, str] = {}
    with tarfile.open(archive) as packed:
        for path in paths:
            inside = packed.extractfile(path)
            assert inside is not None, f"{package} has no {path}"
            found[path] = inside.read().decode()
    return found


def _metadata_in(script: str) -> bytes:
    """From version 15 on it is wrapped, as the runtime's own function gives it: in an Option, with its length in front."""
    found = _HEX.search(script)
    assert found is not None, "no metadata in it"
    data = bytes.fromhex(found[1])
    return data[data.index(b"meta", 0, 16) :]
