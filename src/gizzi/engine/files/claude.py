"""Lays Gizzi out for Claude Code in a project: commands, a skill, and the MCP server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gizzi.engine.files.write import Files, render, write
from gizzi.errors import GizziError

MCP_FILE = Path(".mcp.json")
LAID_OUT = {
    Path(".claude/skills/gizzi/SKILL.md"): "claude/SKILL",
    Path(".claude/commands/gizzi-diagnose.md"): "claude/gizzi-diagnose",
    Path(".claude/commands/gizzi-review.md"): "claude/gizzi-review",
    Path(".claude/commands/gizzi-upgrade.md"): "claude/gizzi-upgrade",
    Path(".claude/commands/gizzi-postmortem.md"): "claude/gizzi-postmortem",
}
"""Each file, by its path in the project, and its template."""


def install(files: Files, project: Path = Path()) -> list[Path]:
    """Write them, anew where they are there, and add our server to .mcp.json beside those of others. Returns the paths.

    Raises GizziError: a folder that cannot be written, a .mcp.json that is none; nothing is written then.
    """
    servers = _servers(project / MCP_FILE)
    texts = {project / path: render(files.settings, template, gizzi=files.gizzi()) for path, template in LAID_OUT.items()}
    words = ["--config", str(files.settings.file.resolve())] if files.named and files.settings.file is not None else []
    servers["mcpServers"]["gizzi"] = {"command": "gizzi", "args": ["mcp", *words]}
    texts[project / MCP_FILE] = json.dumps(servers, indent=2, ensure_ascii=False) + "\n"
    for path, text in texts.items():
        write(path, text)
    return list(texts)


def _servers(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise GizziError(f"{file} cannot be read as JSON: {error}; correct it or move it away") from None
    servers = found.setdefault("mcpServers", {}) if isinstance(found, dict) else None
    if not isinstance(servers, dict):
        raise GizziError(f"{file} is not an MCP configuration: it must be an object, mcpServers in it another; correct it or move it away")
    return found
