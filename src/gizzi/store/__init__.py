"""The database: SQLite by default, PostgreSQL by URL. `open_store` is the door."""

from gizzi.store.store import Store, open_store

__all__ = ["Store", "open_store"]
