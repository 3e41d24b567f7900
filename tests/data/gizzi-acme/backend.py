"""Builds the wheel from pyproject.toml by the standard library alone, so that pip installs it without a network."""

import base64
import hashlib
import tomllib
import zipfile
from pathlib import Path


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    groups = project["entry-points"].items()
    points = "\n".join(f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in rows.items()) for group, rows in groups)
    texts = {path.as_posix(): path.read_text() for path in sorted(Path("gizzi_acme").glob("*.py"))}
    texts[f"{stem}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    texts[f"{stem}.dist-info/WHEEL"] = "Wheel-Version: 1.0\nGenerator: backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    texts[f"{stem}.dist-info/entry_points.txt"] = points
    record = f"{stem}.dist-info/RECORD"
    texts[record] = "".join(f"{name},{_hash(text)},{len(text.encode())}\n" for name, text in texts.items()) + f"{record},,\n"
    with zipfile.ZipFile(Path(wheel_directory) / f"{stem}-py3-none-any.whl", "w") as wheel:
        for name, text in texts.items():
            wheel.writestr(name, text)
    return f"{stem}-py3-none-any.whl"


def _hash(text):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
