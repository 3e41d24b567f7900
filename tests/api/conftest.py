from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tools.api import Api, watched_api


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """Validator 2 has lost its peers."""
    async with watched_api({"kind": "peers_drop", "validators": [2], "peers": 1}) as one:
        yield one
