"""The database: SQLite by default, PostgreSQL by URL. `open_store` is the door."""

from gizzi.store.store import Store, acknowledged, mutes, open_store

__all__ = ["Store", "acknowledged", "mutes", "open_store"]
