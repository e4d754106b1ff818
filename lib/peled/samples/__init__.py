"""The sample sheet: what lies in a folder, what it is, with which settings it was taken.

`read_sheet(folder, topic)` reads `samples.csv`, or proposes one; `Holdings` loads its rows.
The page for users is `docs/samples.md`.
"""

from peled.samples.expand import Row
from peled.samples.holdings import Held, Holdings, joined
from peled.samples.propose import Content, Sniffer
from peled.samples.reading import read_sheet
from peled.samples.sheet import Sheet, Unlisted, state_of
from peled.samples.table import Message, SheetError

__all__ = [
    "Content",
    "Held",
    "Holdings",
    "Message",
    "Row",
    "Sheet",
    "SheetError",
    "Sniffer",
    "Unlisted",
    "joined",
    "read_sheet",
    "state_of",
]
