"""Panels about what was spent and what is remembered."""

from __future__ import annotations

from typing import Any

from gizzi import StoreNow, duration_text, panel


@panel("spend", title="Spend on models")
def spend(store: StoreNow) -> list[dict[str, Any]]:
    """What models have cost today and this month, beside the budget."""
    return [
        {
            "budget": name,
            "spent": f"${store.spend[f'{key}_usd']:.2f}",
            "of": f"${store.spend[f'{key}_budget_usd']:.2f}",
            "left": f"${store.spend[f'{key}_budget_usd'] - store.spend[f'{key}_usd']:.2f}",
        }
        for name, key in (("today", "day"), ("this month", "month"))
    ]


@panel("memory", title="Memory")
def memory(store: StoreNow, clock: Any) -> str:
    """Whether the memory is still what was written, and when that was checked."""
    found = store.memory
    ago = duration_text(max(0.0, clock.now() - found["checked_at"]))
    if not found["ok"]:
        return f"changed: {found['fault']} (checked {ago} ago)"
    entries = "1 entry" if found["entries"] == 1 else f"{found['entries']} entries"
    return f"{entries}, each as it was written (checked {ago} ago)"
