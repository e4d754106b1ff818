"""`python -m peled.samples`: the page `docs/samples.md`, on standard output."""

import sys

from peled.samples.schema import document

if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    print(document(), end="")
