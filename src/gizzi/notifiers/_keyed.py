"""Addresses of services that know us by a key."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from gizzi import GizziError


def base_and_key(url: str, regions: dict[str, str], written: str) -> tuple[str, str]:
    """`NAME://KEY` with `?region=eu`, or `NAME+https://HOST/KEY` for another address of the same API. Raises GizziError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise GizziError(f"write it as {written}") from None
    scheme = parts.scheme.partition("+")[2]
    if scheme in ("http", "https"):
        folder, _, key = parts.path.rstrip("/").rpartition("/")
        base = f"{scheme}://{parts.netloc}{folder}"
    else:
        key = parts.netloc.rpartition("@")[0] or parts.netloc
        region = parse_qs(parts.query).get("region", ["us"])[0]
        if region not in regions:
            raise GizziError(f"there is no region {region!r}; there are {', '.join(regions)}")
        base = regions[region]
    if not key:
        raise GizziError(f"the key is missing; write it as {written}")
    return base, unquote(key)
