"""`POST /api/alerts`: Alertmanager's webhook, version 4. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from gizzi.alerts.external import Owners, Said, said
from gizzi.api.problems import problems
from gizzi.app import App

Text = Annotated[str, Field(max_length=100_000)]
Labels = Annotated[dict[Annotated[str, Field(max_length=1000)], Text], Field(max_length=200)]


def _text_only(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a time, as text")
    return value


Moment = Annotated[datetime, BeforeValidator(_text_only)]


class WebhookAlert(BaseModel):
    """One alert in it. More members may follow."""

    model_config = ConfigDict(extra="ignore")
    status: Literal["firing", "resolved"] = Field(description="Whether it fires or is over.")
    labels: Labels = Field(description="`alertname` names it; `severity`, `instance`, `chain`, `validator` and `name` say whose it is.")
    annotations: Labels = Field(default_factory=dict, description="`summary`, else `description` or `message`, is its text.")
    startsAt: Moment = Field(description="Since when it fires.")
    endsAt: Moment | None = Field(None, description="When it ended; year 1 while it fires.")
    fingerprint: str = Field("", max_length=200, description="Its identity: the same one is the same alert.")


class Webhook(BaseModel):
    """What Alertmanager posts. More members may follow."""

    model_config = ConfigDict(extra="ignore")
    version: Literal["4"] = Field(description="Of the webhook's format.")
    alerts: list[WebhookAlert] = Field(max_length=10_000, description="All alerts of one group.")
    truncatedAlerts: int = Field(0, ge=0, strict=True, description="How many Alertmanager left out.")


class Heard(BaseModel):
    model_config = ConfigDict(extra="forbid")
    firing: int = Field(description="How many alerts fire.")
    resolved: int = Field(description="How many are over.")
    validators: list[int] = Field(description="Whom they concern, as far as labels name a validator.")


def add_routes(api: FastAPI, app: App) -> None:
    @api.post("/api/alerts", response_model=Heard, responses=problems(422), tags=["incidents"])
    async def alerts(webhook: Webhook) -> Response:
        """Take up Alertmanager's alerts, firing and resolved; answered once they are stored. The same again changes nothing."""
        watch = app.watch
        now = app.clock.now()
        owners = Owners(watch.validators, watch.chains, app.settings.prometheus.chain_label)
        heard = [_said(alert, owners, now) for alert in webhook.alerts]
        if heard:
            await watch.hear(heard)
        over = sum(one.over_at is not None for one in heard)
        whom = sorted({number for one in heard for number in one.validators})
        return JSONResponse(Heard(firing=len(heard) - over, resolved=over, validators=whom).model_dump())


def _said(alert: WebhookAlert, owners: Owners, now: float) -> Said:
    """endsAt counts where it says resolved; while it fires it is a date of year 1."""
    ended_at = _seconds(alert.endsAt) if alert.endsAt is not None else math.nan
    over_at = None if alert.status == "firing" else ended_at if ended_at > 0 else now
    since = _seconds(alert.startsAt)
    return said(
        alert.labels,
        alert.annotations,
        alert.fingerprint,
        since=since if since > 0 else now,
        over_at=over_at,
        owners=owners,
        now=now,
    )


def _seconds(at: datetime) -> float:
    """Epoch seconds; what no clock shows (year 1) is 0; without a time zone it is UTC."""
    try:
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError, OSError):
        return 0.0
