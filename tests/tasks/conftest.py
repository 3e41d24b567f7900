from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gizzi import registry
from gizzi.config import Settings, Validator
from gizzi.engine.roles.runner import RoleRunner
from gizzi.engine.roles.scene import Scene
from gizzi.memory import Memory, keys_of
from gizzi.reach import Reach
from gizzi.roles.load import load_roles
from gizzi.store import Store, open_store
from tools.simulated import HandClock
from tools.substrate import SmallChain, key


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def memory(store: Store, clock: HandClock, tmp_path: Path) -> Memory:
    return Memory(store, clock, keys_of("sqlite://", tmp_path))


@pytest.fixture
def chain() -> SmallChain:
    return SmallChain()


Runner = Callable[..., RoleRunner]


@pytest.fixture
def runner(store: Store, clock: HandClock, memory: Memory, chain: SmallChain) -> Runner:
    """A runner without a model, whose validator 6 has the stash key(6)."""

    def make(*validators: Validator, node: Any = None, fleet: Any = None) -> RoleRunner:
        watched = validators or (Validator(number=6, rpc_url="http://127.0.0.1:1", labels={"stash": key(6)}), Validator(number=7))
        settings = Settings(validators=watched)
        reach = Reach(node or SimpleNamespace(rpc=chain.rpc), None, None)  # type: ignore[arg-type]

        def scene_of(mine: Any, options: Mapping[str, str]) -> Scene:
            return Scene(settings, mine, fleet, reach, store, clock, memory, options)

        return RoleRunner(registry.load(settings), load_roles(settings), scene_of, watched, None, memory)

    return make
