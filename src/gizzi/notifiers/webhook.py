"""Your own programs: every message as JSON."""

from __future__ import annotations

from gizzi import GizziError, Http, Message, notifier


@notifier("webhook")
async def webhook(http: Http, url: str, message: Message) -> None:
    """`webhook+https://HOST/PATH`: a POST of the message as JSON, its id as `Idempotency-Key`. Any answer from 200 to 299 is a yes."""
    address = url.partition("+")[2]
    if not address.lower().startswith(("https://", "http://")):
        raise GizziError("write it as webhook+https://HOST/PATH or webhook+http://HOST/PATH")
    await http.post_json(address, message.as_json(), {"Idempotency-Key": message.id} if message.id else None)
