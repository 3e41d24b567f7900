"""The metadata of real runtimes, in all versions that nodes give: read whole, and refused in plain words where bytes are wrong."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import missing
from gizzi.errors import SourceError
from gizzi.readers.runtime import Extrinsic, Runtime
from gizzi.readers.scale import Call
from tools import runtimes, scale
from tools.substrate import key

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    if not runtimes.is_installed():
        missing("no real metadata is here; run: python tests/tools/install.py runtimes")


@lru_cache
def metadata(name: str) -> bytes:
    return bytes.fromhex(runtimes.metadata(name)[2:])


@pytest.mark.parametrize("name", runtimes.METADATA)
def test_every_default_and_every_constant_is_decoded(name: str) -> None:
    runtime = Runtime(runtimes.metadata(name))
    pallets = runtime._metadata.pallets
    for pallet, described in pallets.items():
        for item, kept in described.items.items():
            value = runtime.value(pallet, item, None)
            if kept.default is not None:
                assert scale.stored(runtime, pallet, item, value) == "0x" + kept.default.hex(), (pallet, item)
        for constant in described.constants:
            runtime.constant(pallet, constant)
    assert len(pallets) >= 10 and sum(len(one.items) for one in pallets.values()) >= 40


@pytest.mark.parametrize("name", runtimes.METADATA)
def test_extrinsics_of_every_form_are_read(name: str) -> None:
    runtime = Runtime(runtimes.metadata(name))
    form, types = runtime._form(), runtime._types
    call = Call("System", "remark", {"remark": "0x0102"})
    assert runtime.extrinsic(scale.unsigned(runtime, call)) == Extrinsic(call)
    assert runtime.extrinsic(scale.signed(runtime, key(6), call, extra=scale.extra(runtime, 70_000))) == Extrinsic(call, key(6))
    for version, kinds in form.extensions.items():
        body = bytes([0x45, version]) + b"".join(scale.encode(types, kind, scale.blank(types, kind)) for kind in kinds)
        body += scale.encode(types, form.call, call)
        assert runtime.extrinsic("0x" + (scale.compact(len(body)) + body).hex()) == Extrinsic(call)
        with pytest.raises(SourceError, match="extensions of version 99"):
            runtime.extrinsic("0x" + (scale.compact(len(body)) + bytes([0x45, 99]) + body[2:]).hex())


@settings(max_examples=25)
@given(st.sampled_from(["polkadot-15", "substrate-16", "substrate-contracts-node-14"]), st.data())
def test_a_real_metadata_with_bytes_changed_or_cut_is_read_or_refused(name: str, data: st.DataObject) -> None:
    raw = bytearray(metadata(name))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(5, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(raw), len(raw) // 2, len(raw) * 9 // 10]))
    try:
        runtime = Runtime("0x" + raw[:cut].hex())
        runtime.events("0x04000000000000")
        runtime.value("System", "Account", None)
        runtime.key("System", "Account", key(1))
    except SourceError as error:
        assert str(error)
