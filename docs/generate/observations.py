"""Observations, and the sources that give them."""

from __future__ import annotations

from gizzi.fleet.names import OBSERVATIONS
from gizzi.kinds import Source

from .markdown import code, codes, links, page, sentence, slug, table
from .rules import built_in

INTRO = """
What sources give and rules read. In a rule it is an attribute (`v.peers`), and None where nothing fresh is known. As evidence its id is
`<validator>/<name>`, such as `6/peers`. Units are in the names: `_s` seconds, `_bytes`, `_at` seconds since 1970, `_ratio` 0 to 1,
`_total` a counter; heights are block numbers.

An observation is believed for three periods of its source and one time-out. After that it is unknown.

`<source>_up` says whether a source answered. `block_height`, `finalized_height`, `peers`, `syncing` and `version` come from the metrics
page, or by RPC where the page does not give them. `finalization_lag` is best less finalized block, and never below 0.
"""


def observations_page() -> str:
    found = built_in()
    sources = [(f"[`{s.name}`](#{slug(s.name)})", _every(s.every), s.summary) for s in found.sources]
    rows = []
    for name, meaning in OBSERVATIONS.items():
        given = [source.name for source in found.sources if name in source.gives or name == f"{source.reports}_up"]
        read = [rule.name for rule in found.rules if name in rule.needs]
        rows.append((f'<a id="{name}"></a>`{name}`', sentence(meaning), links(given), links(read, "rules.md")))
    listed = table(["name", "means", "from", "read by"], rows)
    asked = table(["source", "every", "reads"], sources)
    return page("Observations and sources", INTRO, "## Sources", asked, *map(_source, found.sources), "## Observations", listed)


def _every(every: str | float) -> str:
    return {"collect": "`[collect] every` (5s)", "host": "`[collect] host_every` (30s)"}.get(str(every), code(every))


def _source(source: Source) -> str:
    told = f"### {source.name}\n\n{source.summary}"
    if source.scope == "fleet":
        told += " It asks once for the whole fleet."
    if source.reports != source.name:
        told += f" Its success or failure counts as that of [`{source.reports}`](#{slug(source.reports)})."
    return f"{told}\n\nGives {codes(source.gives)}."
