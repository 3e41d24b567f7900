"""A streamed answer in which what was redacted is put back, also where a placeholder comes in two pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gizzi.models.redact import Redactor, Restorer


def restored(stream: Any, redactor: Redactor) -> Any:
    """The pydantic-ai StreamedResponse, with the text of its events and of its whole answer restored. Only text: the arguments of a tool
    call leave the conversation, so nothing is put back into them."""
    if not redactor.restores:
        return stream
    return _class()(stream.model_request_parameters, _inner=stream, _back=Restorer(redactor))


@cache
def _class() -> Any:
    from pydantic_ai.models import StreamedResponse

    @dataclass
    class Restored(StreamedResponse):
        _inner: Any
        _back: Restorer

        async def _get_event_iterator(self) -> AsyncIterator[Any]:
            text_at: int | None = None
            async for event in self._inner:
                if event.event_kind not in ("part_start", "part_delta"):
                    continue
                came = event.part if event.event_kind == "part_start" else event.delta
                if getattr(came, "part_kind", None) == "text" or getattr(came, "part_delta_kind", None) == "text":
                    text_at = event.index
                    content = came.content if event.event_kind == "part_start" else came.content_delta
                    for shown in self._text(text_at, self._back.feed(content)):
                        yield shown
                    continue
                for shown in self._text(text_at, self._back.end()):
                    yield shown
                for shown in self._other(event, came):
                    yield shown
            for shown in self._text(text_at, self._back.end()):
                yield shown
            self.finish_reason = self._inner.finish_reason

        def _text(self, index: int | None, text: str) -> Iterator[Any]:
            if text:
                yield from self._parts_manager.handle_text_delta(vendor_part_id=index, content=text)

        def _other(self, event: Any, came: Any) -> Iterator[Any]:
            if event.event_kind == "part_start":
                yield self._parts_manager.handle_part(vendor_part_id=event.index, part=came)
            elif came.part_delta_kind == "tool_call":
                yield from self._parts_manager.handle_tool_call_delta_events(
                    vendor_part_id=event.index, tool_name=came.tool_name_delta, args=came.args_delta, tool_call_id=came.tool_call_id
                )
            elif came.part_delta_kind == "thinking":
                yield from self._parts_manager.handle_thinking_delta(
                    vendor_part_id=event.index, content=came.content_delta, signature=came.signature_delta
                )

        async def close_stream(self) -> None:
            await self._inner.close_stream()

        @property
        def usage(self) -> Any:
            return self._inner.usage

        @property
        def model_name(self) -> Any:
            return self._inner.model_name

        @property
        def provider_name(self) -> Any:
            return self._inner.provider_name

        @property
        def provider_url(self) -> Any:
            return self._inner.provider_url

        @property
        def timestamp(self) -> Any:
            return self._inner.timestamp

    return Restored
