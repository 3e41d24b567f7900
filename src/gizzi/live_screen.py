"""The live screen on this terminal, from what it is fed to its end."""

from __future__ import annotations

from gizzi.config import Settings
from gizzi.tui.feed import open_feed
from gizzi.tui.top import Top


async def run_live_screen(settings: Settings, *, by: str, may_answer: bool) -> None:
    """Show the fleet until the person quits. by: whose name answers are kept under. may_answer: False where nobody may approve or deny.

    Raises GizziError where there is nothing to show, and whatever went wrong inside the screen.
    """
    async with open_feed(settings) as feed:
        top = Top(settings, feed, by=by, may_answer=may_answer)
        await top.run_async()
        if top.fault is not None:
            raise top.fault
