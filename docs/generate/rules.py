"""The built-in rules, from the registry."""

from __future__ import annotations

from gizzi import registry
from gizzi.alerts.causes import CAUSE_ORDER
from gizzi.alerts.mute import NEVER_BY_MAINTENANCE
from gizzi.config import Settings
from gizzi.kinds import Rule
from gizzi.registry import Registry

from .markdown import codes, links, number, page, slug, table, written

INTRO = """
A rule is a test over what is known of one validator, of a whole chain, or of Gizzi itself. While its condition holds there is an alert:
pending until it has held for the *hold* and a newer observation confirms it, then firing, and resolved once it has been seen to be over.
[How an alert becomes an incident](../explanation/incidents.md) says what follows.

Every rule is configured under `[rules.NAME]` in gizzi.toml:

| key | means |
|---|---|
| `enabled` | `false` turns the rule off |
| `hold` | how long the condition must last, such as `"30s"` |
| `severity` | `"low"`, `"medium"`, `"high"` or `"critical"` |
| its thresholds | numbers, listed with each rule; names that end in `_s` are seconds, in `_h` hours, shares are 0 to 1 |

```toml gizzi.toml
[rules.peers_low]
below = 5
hold = "1m"

[rules.version_skew]
enabled = false
```

*Needs*: the [observations](observations.md) it looks at; one of them is enough to begin with. Where none is ever seen, though a source that
gives it answers, the rule is dead, and `rule_dead` and `gizzi doctor` say so; *optional* rules may lack theirs, because not every node or
host has them. *Explains*: alerts of these rules are symptoms of this one, and join its incident.
"""
ORDER = "An incident carries the rule of its deepest cause. From the deepest to the shallowest:"
SCOPES = {"validator": "Of one validator", "chain": "Of a whole chain", "gizzi": "Of Gizzi itself"}


def built_in() -> Registry:
    """The registry without plugins."""
    return registry.load(Settings.model_validate({"plugins": {"folder": "/nonexistent"}}))


def rules_page() -> str:
    rules = list(built_in().rules)
    rank = {name: place for place, name in enumerate(CAUSE_ORDER)}
    parts = []
    for scope, title in SCOPES.items():
        mine = sorted((rule for rule in rules if rule.scope == scope), key=lambda rule: (rank.get(rule.name, len(rank)), rule.name))
        rows = [(links([rule.name]), rule.severity, written(rule.hold_s), rule.summary) for rule in mine]
        parts += [f"## {title}", table(["rule", "severity", "hold", "means"], rows)]
    order = f"{ORDER} {codes(CAUSE_ORDER)}; then rules of plugins."
    never = f"Maintenance mutes every rule but {codes(sorted(NEVER_BY_MAINTENANCE))}: they can cost stake."
    details = [_rule(rule) for rule in sorted(rules, key=lambda rule: rule.name)]
    return page("Rules", INTRO, *parts, "## The order of causes", order, never, "## Each rule", *details)


def _rule(rule: Rule) -> str:
    facts = [rule.severity, f"hold {written(rule.hold_s)}", SCOPES[rule.scope].lower().replace("gizzi", "Gizzi")]
    facts += ["optional"] if rule.optional else []
    listed = []
    if rule.limits:
        limits = ", ".join(f"`{name} = {number(value)}`" for name, value in rule.limits.items())
        listed.append(f"- Threshold{'s' if len(rule.limits) > 1 else ''}: {limits}")
    if rule.needs:
        listed.append("- Needs: " + " or ".join(f"[`{name}`](observations.md#{slug(name)})" for name in rule.needs))
    if rule.explains:
        listed.append(f"- Explains: {links(rule.explains)}")
    return "\n\n".join([f"### {rule.name}", rule.summary, f"*{', '.join(facts)}*", "\n".join(listed)]).strip()
