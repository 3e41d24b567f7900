from __future__ import annotations

import importlib.util

import pytest

from conftest import missing, need
from tools.browsing import TOKEN


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIZZI_API_TOKEN", TOKEN)


@pytest.fixture
def chromium() -> str:
    """The full path of the browser."""
    if importlib.util.find_spec("playwright") is None:
        missing("playwright is not installed")
    (path,) = need("chromium")
    return path
