"""Everything that can be added, on one page: from the decorators, what they hand over, the kit's examples, and errors that really occur."""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from string import Template

import gizzi
from gizzi import kinds, marks, registry
from gizzi.cli.plugins import KINDS
from gizzi.config import Settings
from gizzi.errors import ConfigError
from gizzi.roles.load import _KEYS as ROLE_KEYS
from gizzi.roles.load import load_roles

from .markdown import code, codes, join, meaning_of, page, table
from .python_api import PARAMETERS, _doc, _signature

INTRO = """
Each kind of thing is one function with one decorator from `gizzi`, or one row, or one Markdown file. Nothing of Gizzi's is edited, and
what is built in comes in through the same door. `gizzi plugin new KIND NAME` writes one that works, and its test;
[the tutorial](../tutorial-plugin.md) makes one of each.
"""
GETS = {
    "source": tuple(PARAMETERS),
    "rule": ("v", "fleet"),
    "strategy": marks._STRATEGY_GETS,
    "action": (*kinds._ACTION_GETS, "what a proposal gives it"),
    "workflow": ("run", *kinds._WORKFLOW_GETS, "what it is started with"),
    "notifier": marks._NOTIFIER_GETS,
    "panel": marks._PANEL_GETS,
    "task": ("scene", "validators", "settings", "store", "clock", "options of `gizzi role run --with`"),
    "wire": ("provider", "model", "key", "http", "settings"),
}
RETURNS = {
    "source": "observations by name: numbers, true or false, texts, tuples of texts",
    "rule": "a text or a `Finding` while something is wrong, `None` while it is not, `UNKNOWN` where it cannot tell",
    "strategy": "models, best first; an `Opinion`; or `None`",
    "action": "a text, or nothing",
    "workflow": "a last word, or nothing",
    "notifier": "nothing",
    "panel": "a number, a text, a list of mappings with the same keys, or a list of (epoch seconds, number)",
    "task": "a list of `ReportItem`, or a text",
    "wire": "a pydantic-ai `Model`",
}
FAILS = {
    "source": "`SourceError(kind, text)`: its `_up` is no, and why; anything else counts as the kind `internal`. The others go on",
    "rule": "it is reported by the rule `rule_dead` and in the log; its alerts stay as they are. The other rules go on",
    "strategy": "the route says so, and asks the next strategy",
    "action": "`CommandFailed` or `SourceError`: not carried out. Anything else: in doubt, never repeated, for a person",
    "workflow": "`GizziError`: stopped, with the reason. Anything else: failed. What its steps gave is kept",
    "notifier": "it is tried again, then the channel is reported as failing",
    "panel": "the error is shown in its place",
    "task": "an item of the report says so; the role's other tasks go on",
    "wire": "while it is made: one line that says where it lives. While it answers: the router takes the next model",
}
USE = {
    "source": "it is collected from the next start on; `gizzi doctor` shows it",
    "rule": "it is evaluated from the next start on; `[rules.NAME]` sets `enabled`, `hold`, `severity` and its thresholds",
    "strategy": "`[routing] strategies`",
    "action": "`gizzi act NAME 6 --why TEXT`; in a workflow `await run.act(…)`",
    "workflow": "`gizzi workflow run NAME --word VALUE`",
    "notifier": "`[notify] urls`, `NAME://…`; `gizzi notify test`",
    "panel": "the pages and `gizzi top` show it",
    "task": "below `tasks:` of a role; `gizzi role run ROLE NAME`",
    "wire": '`[providers.X] api = "NAME"`',
}
LOADED = [
    ("any of the nine kinds", "a `.py` file in the plugins folder", "a module, entry point group `gizzi`"),
    (
        "providers and models",
        "`[providers.*]` and `[models.*]` of gizzi.toml, or a `.toml` file in the plugins folder",
        "a mapping, entry point group `gizzi.models`",
    ),
    ("roles", "a `.md` file in `roles/` of the plugins folder", "-"),
    ("templates of workflow files", "a file of the same name in `templates/` of the plugins folder", "-"),
]
FAULTS = {
    "a file that cannot be loaded": "1 / 0\n",
    "a parameter that there is not": "from gizzi import panel\n@panel('odd')\ndef odd(teapot): ...\n",
    "another shape than the kind's": "from gizzi import wire\n@wire('odd')\ndef odd(provider): ...\n",
    "an action that must never be": "from gizzi import action\n@action('rotate_keys', writes=True)\ndef rotate(validator): ...\n",
    "a name that is taken": "from gizzi import rule\n@rule('peers_low')\ndef peers_low(v, fleet): ...\n",
}
"""A plugin with a fault each; the page shows what is said of it."""


def extending_page() -> str:
    loaded = table(["what", "in an installation", "in a package"], LOADED)
    said = table(["where there is", "it says"], [(what, code(fault(text))) for what, text in FAULTS.items()])
    at_load = (
        "A plugin that cannot be loaded is skipped and the rest runs on; `gizzi plugin list` and `gizzi doctor` name it. A name that is "
        "taken ends every command with exit code 2, so that nobody believes in a rule that is another one."
    )
    parts = [_one(kind) for kind in KINDS]
    return page(
        "Extending",
        INTRO,
        _overview(),
        "## Where it is loaded from",
        loaded,
        "## What is wrong with it",
        at_load,
        said,
        *parts,
        _role(),
        ROWS,
    )


def _overview() -> str:
    rows = [(f"[`@{kind}`](#{kind})", _gets(kind), RETURNS[kind], USE[kind]) for kind in KINDS]
    return table(["decorator", "gets, by name", "returns", "put to use"], rows)


def _gets(kind: str) -> str:
    return ", ".join(word if " " in word else code(word) for word in GETS[kind])


def _one(kind: str) -> str:
    function = getattr(gizzi, kind)
    where = "docs/generate/extending.py"
    facts = [
        ("gets, by name", _gets(kind)),
        ("returns", meaning_of(kind, RETURNS, f"{where}, RETURNS")),
        ("where it fails", meaning_of(kind, FAILS, f"{where}, FAILS")),
        ("put to use", meaning_of(kind, USE, f"{where}, USE")),
    ]
    return join(
        f"## {kind}",
        f"```python\n@{kind}{_signature(function)}\n```",
        _doc(function),
        table(["", ""], facts),
        f"```python\n{example(kind)}```",
    )


def example(kind: str) -> str:
    """What `gizzi plugin new` writes, without its first lines."""
    template = Template((files("gizzi.cli") / "kit" / f"{kind}.txt").read_text(encoding="utf-8"))
    text = template.substitute(name="mynotifier" if kind == "notifier" else f"my_{kind}")  # a notifier's has no underscore
    return text.split('"""', 2)[2].strip() + "\n"


def fault(text: str) -> str:
    """What is said of a plugin with this text."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "odd.py").write_text(text, encoding="utf-8")
        try:
            found = registry.load(Settings.model_validate({"plugins": {"folder": folder}})).failures
            said = f"{found[0].where}: {found[0].error}"
        except ConfigError as error:
            said = str(error)
        sys.modules.pop("gizzi_plugin_odd", None)
    return said.replace(folder, "plugins").replace(str(Path(gizzi.__file__).parent), "gizzi")


def _role() -> str:
    shipped = load_roles(Settings.model_validate({"plugins": {"folder": "/nonexistent"}}))
    text = (files("gizzi.roles") / "watcher.md").read_text(encoding="utf-8")
    told = (
        f"A Markdown file with these keys before its persona: {codes(ROLE_KEYS)}. One of the same name replaces a shipped one: "
        f"{codes(shipped)}. `gizzi role new NAME` writes one; [the tutorial](../tutorial-role.md) makes one. A wrong key is named, with "
        "the file and the nearest that there is."
    )
    return join("## role", told, f"```markdown\n{text.strip()}\n```")


ROWS = """
## provider and model

Rows, with the keys that [the configuration](configuration.md) lists; [Add a model](../how-to/add-a-model.md) tells how they are put
together.

```toml
[providers.acme]
api = "openai"
url = "https://api.acme.example/v1"
key_env = "ACME_API_KEY"

[models."acme/fast-1"]
tier = "standard"
price = { input = 0.10, output = 0.40, checked = 2026-11-01 }
```

## package

A package names its modules and its rows as entry points; [Add a plugin](../how-to/plugins.md#as-a-package) has a whole one.

```toml
[project.entry-points.gizzi]
acme = "gizzi_acme.rules"

[project.entry-points."gizzi.models"]
acme = "gizzi_acme.models:ROWS"
```
"""
