"""Any of Apprise's services: Slack, Telegram, Discord, Matrix, e-mail, ntfy and a hundred more, each by its address."""

from __future__ import annotations

import logging

from gizzi import GizziError, Message, notifier

TAKES_S = 15.0


@notifier("apprise")
def apprise(url: str, message: Message) -> None:
    """Any other address: one of Apprise's services, such as slack://, tgram://, discord://, matrixs://, mailtos:// or ntfys://."""
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
    from apprise.common import OverflowMode

    own = logging.getLogger("apprise")  # which tells why, and is not to be printed beside our own log
    own.setLevel(logging.WARNING)
    own.propagate = False
    asset = AppriseAsset(service_timeout=TAKES_S, allow_templates=False)
    asset.app_id, asset.app_desc, asset.app_url = "Gizzi", "Gizzi", ""
    asset.http_redirects = False
    asset.image_url_mask = asset.image_url_logo = ""  # no pictures from a third party
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise GizziError("Apprise does not know an address like this, or it lacks a part; look it up at https://appriseit.com/services")
    if "overflow=" not in url:
        service.overflow_mode = OverflowMode.TRUNCATE
    kinds = {"low": NotifyType.INFO, "medium": NotifyType.WARNING, "high": NotifyType.FAILURE, "critical": NotifyType.FAILURE}
    kind = NotifyType.SUCCESS if message.over else kinds[message.severity]
    sender = Apprise(asset=asset)
    sender.add(service)
    said: list[str] = []
    result = sender.notify(
        title=message.title,
        body=message.body,
        notify_type=kind,
        body_format=NotifyFormat.TEXT,
        log_callback=lambda entry, _: said.append(entry.message),
    )
    if not result:
        raise GizziError(said[-1] if said else f"Apprise could not deliver it ({result.status.name.lower()})")
