"""axe-core, the accessibility checker: fetched from npm once, into a folder outside the repository."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

VERSION = "4.10.3"
CACHE = Path.home() / ".cache" / "gizzi-tests" / "axe" / VERSION
PLACE = CACHE / "axe.min.js"


def script() -> Path | None:
    """None where it is not there and cannot be fetched."""
    if not PLACE.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        CACHE.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run([npm, "pack", f"axe-core@{VERSION}"], cwd=CACHE, capture_output=True, timeout=120, check=False)
        if fetched.returncode != 0:
            return None
        with tarfile.open(CACHE / f"axe-core-{VERSION}.tgz") as bundle:
            member = bundle.extractfile("package/axe.min.js")
            assert member is not None
            PLACE.write_bytes(member.read())
    return PLACE


async def serious(page: Any) -> list[str]:
    """What it finds that is serious or critical. The page's policy forbids foreign scripts, so it comes in through the debugger."""
    await page.evaluate(PLACE.read_text(encoding="utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:3]
    ]
