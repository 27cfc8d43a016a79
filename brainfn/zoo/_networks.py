"""All networks by name."""

from ._entry import Entry
from ._vogels_abbott import COBA, CUBA

NETWORKS: dict[str, Entry] = {entry.name: entry for entry in (COBA, CUBA)}
"""The networks that `python -m brainfn run NAME` knows, by name."""
