"""What Gizzi remembers: an append-only, hash-chained, signed record of cases, decisions and notes."""

from gizzi.memory.case import Case, Situation, case_of, entry_of
from gizzi.memory.entry import PRIORITIES, STATUSES, Entry, Priority, Status, Stored
from gizzi.memory.keys import FolderKeys, Keys, SeededKeys, keys_of
from gizzi.memory.memory import Memory
from gizzi.memory.verify import Verification

__all__ = [
    "PRIORITIES",
    "STATUSES",
    "Case",
    "Entry",
    "FolderKeys",
    "Keys",
    "Memory",
    "Priority",
    "SeededKeys",
    "Situation",
    "Status",
    "Stored",
    "Verification",
    "case_of",
    "entry_of",
    "keys_of",
]
