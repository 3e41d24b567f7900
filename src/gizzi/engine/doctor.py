"""What is reachable and why not, which rules can never fire, and whether Gizzi's own house is in order."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gizzi.clock import Clock
from gizzi.config import Settings
from gizzi.engine.dead import DeadRule, dead_rules
from gizzi.engine.kernel import clock_check
from gizzi.engine.known import store_exists
from gizzi.engine.limits import open_files_check
from gizzi.engine.own import version
from gizzi.engine.rights import rights
from gizzi.engine.tell.check import channels_check
from gizzi.engine.watch import Watch
from gizzi.errors import StoreError
from gizzi.fleet.history import History
from gizzi.store import open_store, schema
from gizzi.store.store import LEASE_S

BETWEEN_LOOKS_S = 1.0
"""Some observations, such as a processor's load, take two looks."""


async def house(settings: Settings, clock: Clock) -> dict[str, Any]:
    """Everything but the fleet: `{name: {"ok": bool or None, "text": …}}`; None is worth a word, but nothing is broken."""
    where = str(settings.file) if settings.file else "no file: defaults and environment"
    return {
        "version": {"ok": True, "text": version()},
        "config": {"ok": True, "text": where},
        "store": await _store(settings, clock),
        "ssh": _ssh(settings),
        "channels": await channels_check(settings, clock),
        "clock": clock_check(),
        "open files": open_files_check(len(settings.validators)),
    }


async def fleet(watch: Watch) -> dict[str, Any]:
    """Ask everything twice: `validators` with their sources, `rules` that are dead, `rights` on hosts, `plugins` that failed."""
    await watch.collector.once()
    await watch.step()
    await watch.clock.sleep(BETWEEN_LOOKS_S)
    await watch.collector.once()
    await watch.step()
    dead = dead_rules(watch, everything=True)
    return {
        "validators": [_validator(watch, number) for number in sorted(watch.fleet.validators)],
        "rules": {"all": sum(rule.scope != "off" for rule in watch.registry.rules), "dead": [_dead(rule) for rule in dead]},
        "rights": await rights(watch.settings, watch.validators, watch.reach.ssh),
        "plugins": [{"where": failure.where, "error": failure.error} for failure in watch.registry.failures],
    }


def _validator(watch: Watch, number: int) -> dict[str, Any]:
    validator = watch.fleet.validators[number]
    history = watch.fleet.histories[number]
    polls = [poll for poll in watch.collector.polls if validator in poll.validators]
    names = dict.fromkeys(poll.source.reports for poll in polls)
    sources = [_source(history, name) for name in names] + _by_prometheus(history)
    if not sources:
        sources = [{"source": "none", "ok": False, "kind": "config", "text": "no source applies: give it a metrics_url or an rpc_url"}]
    return {"number": number, "name": validator.name, "sources": sources}


def _source(history: History, name: str) -> dict[str, Any]:
    failure = history.failures.get(name)
    if failure is None:
        return {"source": name, "ok": True, "kind": None, "text": None}
    return {"source": name, "ok": False, "kind": failure.kind, "text": failure.text}


def _by_prometheus(history: History) -> list[dict[str, Any]]:
    """What a Prometheus server says of the validator's page, where one is asked."""
    if "prometheus_up" not in history.tracks or "prometheus" in history.failures:
        return []
    up = history.tracks.get("metrics_up")
    if up is None:
        text = "the Prometheus server has no target for it, or has not scraped it lately"
        return [{"source": "metrics", "ok": False, "kind": "absent", "text": text}]
    if up.value is False:
        return [{"source": "metrics", "ok": False, "kind": "refused", "text": "the Prometheus server cannot scrape its metrics page"}]
    return [{"source": "metrics", "ok": True, "kind": None, "text": None}]


def _dead(rule: DeadRule) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "why": rule.why,
        "needs": list(rule.needs),
        "sources": list(rule.sources),
        "optional": rule.optional,
        "text": rule.text,
    }


async def _store(settings: Settings, clock: Clock) -> dict[str, Any]:
    url = settings.store.url
    try:
        parsed = make_url(url)
    except ArgumentError:
        return {"ok": False, "text": "[store] url is not an address; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"}
    shown = parsed.render_as_string(hide_password=True)
    if parsed.database in (None, "", ":memory:") and parsed.get_backend_name() == "sqlite":
        return {"ok": None, "text": f"{shown}: kept in memory, so nothing outlives the process"}
    if not store_exists(url):
        return _new_file(parsed.database or "", shown)
    try:
        return await _open(url, shown, clock)
    except StoreError as error:
        return {"ok": False, "text": str(error)}


def _new_file(file: str, shown: str) -> dict[str, Any]:
    folder = Path(file).absolute().parent
    if not folder.is_dir():
        return {"ok": False, "text": f"{shown}: there is no folder {folder}; make it, or name another in [store] url"}
    if not os.access(folder, os.W_OK | os.X_OK):
        return {"ok": False, "text": f"{shown}: {folder} is not writable for this account"}
    return {"ok": True, "text": f"{shown}: not there yet; `gizzi watch` makes it"}


async def _open(url: str, shown: str, clock: Clock) -> dict[str, Any]:
    store = open_store(url)
    try:
        found = await store.run(lambda c: c.execute(select(schema.meta.c.value).where(schema.meta.c.key == "schema_version")).scalar())
        await store.run(lambda c: c.execute(delete(schema.meta).where(schema.meta.c.key == "doctor")))
        await store.run(lambda c: c.execute(insert(schema.meta).values(key="doctor", value=str(clock.now()))))
        await store.run(lambda c: c.execute(delete(schema.meta).where(schema.meta.c.key == "doctor")))
        lease = await store.lease()
    finally:
        store.close()
    watched = f", watched by {lease[0]}" if lease is not None and clock.now() - lease[1] < LEASE_S else ", nobody watches now"
    return {"ok": True, "text": f"{shown}: writable, schema version {found}{watched}"}


def _ssh(settings: Settings) -> dict[str, Any]:
    ssh = settings.ssh
    if not ssh.user:
        return {"ok": None, "text": "[ssh] user is not set: no logs, unit states or disks are read, so no restart can be proposed"}
    missing = [f"{key} {path}" for key, path in (("key_file", ssh.key_file), ("known_hosts", ssh.known_hosts)) if not _readable(path)]
    if missing:
        return {"ok": False, "text": f"[ssh] {' and '.join(missing)} cannot be read"}
    return {"ok": True, "text": f"as {ssh.user} with {ssh.key_file}, hosts known from {ssh.known_hosts}"}


def _readable(path: str | None) -> bool:
    return path is not None and os.access(Path(path).expanduser(), os.R_OK)


def broken(report: dict[str, Any]) -> list[str]:
    """What is wrong, one line each; empty where all is well."""
    found = [f"{name}: {check['text']}" for name, check in report["house"].items() if check["ok"] is False]
    if report.get("error"):
        found.append(report["error"])
    found += [f"the plugin {plugin['where']} was skipped: {plugin['error']}" for plugin in report.get("plugins", ())]
    found += [f"on {host['host']}: {host['text']}" for host in report.get("rights", ()) if host["ok"] is False]
    failing = [v["number"] for v in report.get("validators", ()) if any(not source["ok"] for source in v["sources"])]
    if failing:
        found.append(f"{len(failing)} of {len(report['validators'])} validators cannot be read in full: {ranges(failing)}")
    dead = [rule for rule in report.get("rules", {}).get("dead", ()) if rule["why"] == "absent" and not rule["optional"]]
    if dead:
        found.append(f"{len(dead)} rules can never fire: {', '.join(rule['rule'] for rule in dead)}")
    return found


def next_steps(report: dict[str, Any]) -> list[str]:
    """What to do now, the most useful first."""
    steps = [] if not report.get("error") else ["put right what keeps the fleet from being asked, then run `gizzi doctor` again"]
    kinds = {source["kind"] for v in report.get("validators", ()) for source in v["sources"] if not source["ok"]}
    steps += [text for kind, text in _REMEDIES.items() if kind in kinds]
    if report.get("plugins"):
        steps.append("mend the plugins named above, or take them out of the plugins folder")
    if any(rule["why"] == "absent" and not rule["optional"] for rule in report.get("rules", {}).get("dead", ())):
        steps.append("for rules that can never fire: export the metric, or say `enabled = false` under [rules.NAME]")
    lacking = [host["host"] for host in report.get("rights", ()) if host["ok"] is not True and host["sudoers"]]
    if lacking:
        shown = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        steps.append(f"so that nodes can be restarted, put the sudoers line above into /etc/sudoers.d/gizzi on {shown}, with visudo")
    if report["house"]["ssh"]["ok"] is None and report.get("validators"):
        steps.append("set [ssh] user and key_file, and `host` and `unit` of each validator, so that logs and disks are seen too")
    return steps or ["nothing: all is well. Start `gizzi watch`, and look with `gizzi status`"]


_REMEDIES = {
    "config": "give every validator a metrics_url or an rpc_url",
    "refused": "where a connection is refused: is the node running, does it listen on that address, does a firewall let this machine in?",
    "timeout": "where nothing answers in time: look at the node's load and the way to it; [collect] timeout allows more",
    "unauthorised": "where access is refused: check the user and password in the address, or the SSH key",
    "host_key": "where a host key is unknown: add it with ssh-keyscan after checking it, or correct a changed one",
    "unreadable": "where a page is not a node's: correct the address (a node's metrics are usually on port 9615, its RPC on 9944)",
    "http": "where another HTTP status than 200 comes: correct the path of the address",
    "absent": "add the missing validators to the Prometheus server's targets",
    "internal": "a source failed in itself: run `gizzi --debug doctor` and report what it shows",
}


def ranges(numbers: Iterable[int]) -> str:
    """ "1-4, 7" of 1, 2, 3, 4, 7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
