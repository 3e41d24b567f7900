"""Actions as the engine will run them: by name, their parameters filled by name."""

from __future__ import annotations

from typing import Any

from gizzi import Settings, Ssh, Validator, registry
from gizzi.config import Ssh as SshSettings
from gizzi.config import parse

BUILT_IN = registry.load(parse({"plugins": {"folder": "/nonexistent"}}, "the test")).actions


async def act(name: str, validator: Validator, ssh: Ssh | None, settings: Settings, **more: Any) -> str:
    """What the action says."""
    action = BUILT_IN[name]
    given = {"validator": validator, "ssh": ssh, "settings": settings, **more}
    return str(await action.run(**{want: given[want] for want in action.wants if want in given}))


def settings_for(ssh: SshSettings, **more: Any) -> Settings:
    return parse({"ssh": ssh.model_dump(by_alias=True), "plugins": {"folder": "/nonexistent"}, **more}, "the test")
