"""Two builds of all notebooks give the same bytes and numbers.

`make test` has run every notebook a second time, by nbval in real kernels, and names that build in
`PELED_SECOND`; alone, these tests make a build of their own.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import files

FIRST = files.ROOT / "figures"


@pytest.fixture(scope="module")
def second_build(tmp_path_factory):
    """Folders of the panels and of the results."""
    if made := os.environ.get("PELED_SECOND"):
        return Path(made) / "figures", Path(made) / "results"
    folder = tmp_path_factory.mktemp("second")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-m", "ledger.run", "--force", "-j1", "--figures", str(folder)]
    subprocess.run(command, check=True, env=environment, cwd=files.ROOT)
    return folder, folder / "results"


def content(path):
    """A picture without the cell it names: nbval tells its kernels nothing of cells."""
    if path.suffix == ".svg":
        return re.sub(rb'"cell": "[^"]*", ', b"", path.read_bytes())
    head, *pixels = path.read_bytes().split(b"IDAT", 1)
    return head[:33], *pixels  # signature, size and depth; then everything but the text


def pictures(folder):
    return {
        str(p.relative_to(folder)): p for p in folder.rglob("*") if p.suffix in (".svg", ".png")
    }


def test_a_second_build_gives_the_same_bytes(second_build):
    figures, results = second_build
    # The scoreboard's own pictures name the results they were made from, which may stand elsewhere.
    gathered = {f["name"] for f in json.loads((results / "claims.json").read_text())["figures"]}
    first, second = (
        {
            name: digest
            for name, digest in pictures(folder).items()
            if Path(name).stem not in gathered
        }
        for folder in (FIRST, figures)
    )
    assert second.keys() == first.keys() and len(second) > 200
    assert [n for n, path in second.items() if content(first[n]) != content(path)] == []


def test_a_second_build_gives_the_same_numbers(second_build):
    names = sorted(path.name for path in (FIRST / "results").glob("*.json"))
    assert names
    for name in names:
        first, second = (
            json.loads((folder / name).read_text())
            for folder in (FIRST / "results", second_build[1])
        )
        assert second["quantities"] == first["quantities"], name
        assert second["verdicts"] == first["verdicts"], name
