"""`python -m ledger.run.verify`: hold every figure against what it says it was made from.

*altered*: a picture is not the one that was saved, or it says something else about itself than its
sidecar does. *stale*: a data file is not what it was when the figure was made; or, where the runner
kept a record, a module, the notebook or the lock file is not. *unknown*: a picture without a
sidecar, a sidecar that cannot be read, an input that lies elsewhere.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
import sys
from collections import Counter
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from ledger import files
from ledger.run import records

PICTURES = ("svg", "png")


@dataclass(frozen=True)
class Finding:
    """What is to be said of one figure: `altered`, `stale` or `unknown`, and why."""

    figure: str
    state: str
    why: str


def verify(folder: Path) -> tuple[list[str], list[Finding]]:
    """Names of the figures in a folder, and what is wrong with any; a figure not named in the
    findings is good."""
    names = sorted(
        {
            path.stem
            for path in folder.iterdir()
            if path.suffix.lstrip(".") in (*PICTURES, "json") and not path.name.startswith(".")
        }
    )
    made_by = _runs()
    findings = []
    for name in names:
        sidecar = folder / f"{name}.json"
        try:
            record = json.loads(sidecar.read_text(encoding="utf-8"))
            inputs, digests = dict(record["inputs"]), dict(record["sha256"])
        except OSError:
            findings.append(Finding(name, "unknown", "no sidecar stands beside it"))
            continue
        except (ValueError, KeyError, TypeError) as error:
            findings.append(Finding(name, "altered", f"{sidecar.name} is no sidecar: {error!r}"))
            continue
        findings += [
            Finding(name, "altered", why) for why in _altered(folder, name, record, digests)
        ]
        findings += _stale(
            name, inputs, str(dict(record.get("parameters") or {}).get("data_dir", "data"))
        )
        why = made_by.get(records.key(sidecar.resolve()), "")
        if why and not any(f.figure == name and f.state == "stale" for f in findings):
            findings.append(Finding(name, "stale", why))
    return names, findings


def _runs() -> dict[str, str]:
    """For every file that a recorded run wrote, what has moved since among all that the run read
    (modules, notebook, lock, data)."""
    found = {}
    for place in sorted((records.BUILD / "records").glob("*.json")):
        if record := records.load(place):
            found |= dict.fromkeys(record.outputs, records.moved(record, outputs=False)[0])
    return found


def _altered(folder: Path, name: str, record: dict, digests: dict) -> list[str]:
    wrong = []
    for suffix in PICTURES:
        path = folder / f"{name}.{suffix}"
        if not path.is_file():
            wrong.append(f"{path.name} is gone")
        elif files.sha256(path) != digests.get(suffix):
            wrong.append(f"{path.name} is not the file that was saved")
        elif (said := _embedded(path)) is None or any(
            said.get(key) != record.get(key)
            for key in ("panel", "source_kind", "inputs", "notebook", "cell")
        ):
            wrong.append(f"{name}.json says something else than {path.name} says of itself")
    return wrong


def _stale(name: str, inputs: dict[str, str], data_dir: str) -> list[Finding]:
    found = []
    for entry, digest in sorted(inputs.items()):
        path = files.ROOT / entry
        if path.is_file():
            if files.sha256(path) != digest:
                found.append(Finding(name, "stale", f"{entry} has changed"))
        elif entry.startswith(("data/", "figures/", "lib/")) or (
            files.resolve(data_dir).is_dir() and path.is_relative_to(files.resolve(data_dir))
        ):
            found.append(Finding(name, "stale", f"{entry} is gone"))
        else:
            found.append(Finding(name, "unknown", f"{entry} lies elsewhere"))
    return found


def _embedded(path: Path) -> dict | None:
    """What a picture says of its own origin; None when it says nothing.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    content = path.read_bytes()
    text = (
        _png_text(content).get("Description")
        if path.suffix == ".png"
        else _svg_description(content)
    )
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _svg_description(content: bytes) -> str | None:
    found = re.search(
        r"<dc:description>(.*?)</dc:description>", content.decode("utf-8", "replace"), re.DOTALL
    )
    return unescape(found[1]) if found else None


def _png_text(content: bytes) -> dict[str, str]:
    """The texts in a PNG (chunks tEXt, zTXt and iTXt; PNG specification, third edition, section
    11.3.3)."""
    import zlib

    found, at = {}, 8
    while at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + length]
        key, _, rest = body.partition(b"\0")
        if kind == b"tEXt":
            found[key.decode("latin-1")] = rest.decode("latin-1")
        elif kind == b"zTXt":
            found[key.decode("latin-1")] = zlib.decompress(rest[1:]).decode("latin-1")
        elif kind == b"iTXt" and len(rest) > 2:
            text = rest[2:].split(b"\0", 2)[2]
            found[key.decode("latin-1")] = (zlib.decompress(text) if rest[0] else text).decode(
                "utf-8"
            )
        at += 12 + length
    return found


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when every figure is good, 1 when one is not, 2 when there is nothing to
    check."""
    parser = argparse.ArgumentParser(
        prog="python -m ledger.run.verify",
        description="Hold every figure against what it says it was made from.",
    )
    parser.add_argument(
        "--figures", default="figures", help="the folder of figures (default: figures)"
    )
    folder = files.resolve(parser.parse_args(arguments).figures)
    if not folder.is_dir():
        print(
            f"figures: expected a folder, found nothing at {files.display_path(folder)}",
            file=sys.stderr,
        )
        return 2
    names, findings = verify(folder)
    if not names:
        print(f"no figures in {files.display_path(folder)}: run `make figures`", file=sys.stderr)
        return 2
    for finding in findings:
        print(f"{finding.state:8s} {finding.figure}: {finding.why}")
    bad = {finding.figure: finding.state for finding in reversed(findings)}
    states = Counter(bad.values())
    print(
        f"{len(names)} figures: {len(names) - len(bad)} good"
        + "".join(f", {states[s]} {s}" for s in ("altered", "stale", "unknown") if states[s])
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
