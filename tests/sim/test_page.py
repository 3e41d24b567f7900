from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gizzi.readers.exposition import Scanner
from gizzi.sim.page import PageWriter, families
from gizzi.sources.metrics import LONG_RUNNING_TASKS, NAMES, observe
from tools.simulated import Lab, fault


def page_of(lab: Lab, number: int) -> bytes:
    return PageWriter(lab.fleet.nodes[number]).write(lab.clock.at)


def test_a_page_has_the_size_and_make_of_a_real_one() -> None:
    page = page_of(Lab().go_to(600), 6).decode()
    found = list(text_string_to_metric_families(page))
    samples = [line for line in page.splitlines() if not line.startswith("#")]
    assert len(found) == 243 and 3_300 < len(samples) < 3_500 and 400_000 < len(page) < 600_000
    assert sum(len(family.samples) for family in found) == len(samples)
    series = [line.rpartition(" ")[0] for line in samples]
    assert len(set(series)) == len(series) and all('chain="sim"' in one for one in series)


def test_histograms_add_up() -> None:
    for family in text_string_to_metric_families(page_of(Lab().go_to(600), 6).decode()):
        if family.type != "histogram":
            continue
        buckets: dict[str, list[float]] = {}
        for sample in family.samples:
            key = str(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            if sample.name.endswith(("_bucket", "_count")):
                buckets.setdefault(key, []).append(sample.value)
        for values in buckets.values():
            assert values == sorted(values) and values[-1] == values[-2], family.name


async def test_the_page_says_what_the_fast_samples_say() -> None:
    lab = Lab(fault("peers_drop", 60, [6], peers=2), fault("not_voting", 60, [6]), fault("tx_queue", 60, [6], size=12000)).go_to(600)
    scanner = Scanner(NAMES)
    for number in (5, 6):
        slow, fast = observe(scanner.scan(page_of(lab, number))), observe(await lab.page(number))
        assert {k: v for k, v in slow.items() if k != "channel_max_name"} == {k: v for k, v in fast.items() if k != "channel_max_name"}


def test_a_page_follows_its_node() -> None:
    lab = Lab(validators=2)
    writer = PageWriter(lab.fleet.nodes[1])
    first = writer.write(lab.clock.at)
    assert writer.write(lab.clock.at + 1) == first, "gauges are renewed every 5 s"
    lab.go_to(60)
    assert writer.write(lab.clock.at) != first
    assert b'name="security-dev01"' in page_of(lab, 2) and b'name="security-dev01"' not in first


def test_long_running_tasks_run_on_and_the_others_end() -> None:
    known = {family.name: family for family in families()}
    tasks = {dict(labels)["task_name"] for labels in known["substrate_tasks_spawned_total"].labels}
    assert len(known["substrate_tasks_spawned_total"].labels) == 74 and len(tasks & LONG_RUNNING_TASKS) > 25
    assert observe(Scanner(NAMES).scan(page_of(Lab(validators=1), 1)))["tasks_ended"] == ()
