"""Writes workflow files: `workflows/diagnostic_validator_6.md` and the like, and how each is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2

from gizzi.config import Settings, Validator
from gizzi.engine.files.fence import Outside
from gizzi.errors import ConfigError, GizziError, NotFound, UsageError
from gizzi.readers.text import one_line

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)
_HOME = re.compile(r"~/[A-Za-z0-9._/-]+", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]", re.ASCII)
KEY_FILE, UNIT = "~/.ssh/gizzi-validator", "flare-node"
"""What stands in a file where no gizzi.toml says otherwise."""
PROMETHEUS = "http://localhost:9090"


@dataclass(frozen=True, slots=True)
class Written:
    """path: of the file, as it was named. command: what a person types to have Claude Code follow it."""

    path: Path
    command: str


@dataclass(frozen=True, slots=True)
class Files:
    """folder: where the files go. named: `--config` was given, or the reader will not stand where gizzi.toml lies, so files name it."""

    settings: Settings
    folder: Path = Path("workflows")
    named: bool = False

    def diagnostic(self, number: str, issue: str, known: Sequence[str] = ()) -> Written:
        """For one validator: any positive number without a configuration, one of its numbers with it. known: lines of what is seen now.

        Raises UsageError, NotFound.
        """
        digits = _positive(number, "a validator's number")
        validator = self._validator(int(digits))
        given = {"subject": f"Validator {digits}", "validators": [_about(self.settings, validator)], "chain": None}
        return self._write("diagnostic", f"diagnostic_validator_{digits}.md", **given, **self._seen(issue, known))

    def diagnostic_of_chain(self, chain: str, issue: str, known: Sequence[str] = ()) -> Written:
        """For all validators of a chain. Raises NotFound."""
        members = [v for v in self.settings.validators if v.chain == chain]
        if not members:
            raise NotFound(f"there is no chain {chain!r} with validators in {self.settings.file or 'the configuration'}")
        name = f"diagnostic_chain_{_NOT_IN_NAMES.sub('_', chain)}.md"
        given = {"subject": f"Chain {one_line(chain)}", "validators": [_about(self.settings, v) for v in members], "chain": chain}
        return self._write("diagnostic", name, **given, **self._seen(issue, known))

    def code_review(self, number: str) -> Written:
        """Raises UsageError."""
        digits = _positive(number, "a pull request's number")
        return self._write("code_review", f"code_review_pr_{digits}.md", number=digits)

    def upgrade(self, version: str) -> Written:
        """Raises UsageError."""
        if not _VERSION.fullmatch(version):
            raise UsageError(f"{version!r} is not a version: letters, digits and . _ + -, at most 64, no sign first")
        return self._write("upgrade", f"upgrade_{version}.md", version=version)

    def postmortem(self, incident: dict[str, Any]) -> Written:
        """incident: as `gizzi incident --json` shows it."""
        told = [incident["summary"], *(f"{event['at']} {event['kind']}: {event['text']}" for event in incident["timeline"])]
        name = incident["id"].replace("-", "_")
        return self._write("postmortem", f"postmortem_{name}.md", id=incident["id"], name=name, timeline=Outside("\n".join(told)))

    def _seen(self, issue: str, known: Sequence[str]) -> dict[str, Any]:
        prometheus = self.settings.prometheus.url or PROMETHEUS
        return {"issue": Outside(issue), "known": Outside("\n".join(known)) if known else None, "prometheus": shlex.quote(str(prometheus))}

    def _validator(self, number: int) -> Validator:
        return self.settings.validator(number) or Validator(number=number, unit=UNIT)

    def _write(self, template: str, file: str, /, **given: Any) -> Written:
        text = render(self.settings, template, gizzi=self.gizzi(), **given)
        path = self.folder / file
        write(path, text)
        return Written(path, shlex.join(["claude", f"Follow the workflow in {path}"]))

    def gizzi(self) -> str:
        """How the program is called in a file."""
        file = self.settings.file
        return f"gizzi --config {shlex.quote(str(file.resolve()))}" if self.named and file is not None else "gizzi"


def render(settings: Settings, template: str, **given: Any) -> str:
    """A template of the plugins folder's `templates`, or the shipped one. Raises ConfigError where an operator's own cannot be used."""
    own = Path(settings.plugins.folder) / "templates"
    shipped = jinja2.PackageLoader("gizzi.workflows", "templates")
    engine = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(own), shipped]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return engine.get_template(f"{template}.md.j2").render(given)
    except (jinja2.TemplateError, UnicodeDecodeError, OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        line = f" line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise ConfigError(f"the template {own / template}.md.j2{line} cannot be used: {error}") from None


def write(path: Path, text: str) -> None:
    """Raises GizziError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GizziError(f"{path} cannot be written: {error.strerror or error}") from None


def _positive(text: str, what: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"{text!r} is not {what}; write a whole number such as 6")
    return text


def _about(settings: Settings, validator: Validator) -> dict[str, Any]:
    """What a file says of one validator: how its host is reached, and how its log is read. Every word is quoted for a shell."""
    number = validator.number
    ssh = settings.ssh
    host = validator.host or f"validator-{number}"
    key = ssh.key_file or KEY_FILE
    words = ["ssh", "-i", key, *(["-p", str(ssh.port)] if ssh.port != 22 else []), f"{ssh.user}@{host}" if ssh.user else host]
    unit = validator.unit or UNIT
    logs = {
        "systemctl": f"journalctl -u {shlex.quote(unit)} -n 200 --no-pager",
        "systemctl --user": f"journalctl --user-unit {shlex.quote(unit)} -n 200 --no-pager",
        "docker": f"docker logs --tail 200 {shlex.quote(unit)}",
    }
    look = " ".join(word if _HOME.fullmatch(word) else shlex.quote(word) for word in words)
    url = str(validator.metrics_url) if validator.metrics_url else None
    only = f'{{instance="{urlsplit(url).netloc}"}}' if url else ""
    return {
        "number": number,
        "logs": f"{look} {shlex.quote(logs[ssh.manager])}",
        "resources": f"{look} {shlex.quote(f'free -h && df -h {shlex.quote(validator.data_dir)} && top -bn1 | head -20')}",
        "queries": [shlex.quote(f"query={name}{only}") for name in ("substrate_block_height", "substrate_sub_libp2p_peers_count")],
        "metrics": shlex.quote(url) if url else None,
    }
