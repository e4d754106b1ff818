"""What a lab notebook needs: a folder on the desk, its report, pictures that answer, files to keep.

A topic takes part with `analyse`, `sniff` and its `explore` module (`signals`, `explorer`).


>>> from peled.lab import open_folder
>>> lab = open_folder("led", "my_folder")                               # doctest: +SKIP
>>> lab.report                                                          # doctest: +SKIP
"""

from .folder import Lab, Prepared, Step, open_folder, topics
from .live import Explorer, is_live, keep_headless

__all__ = [
    "Explorer",
    "Lab",
    "Prepared",
    "Step",
    "is_live",
    "keep_headless",
    "open_folder",
    "topics",
]
