"""References of numbers and panels: made by `make references`, read by test_references.py.

For each topic `tests/reference/<topic>.json` holds every quantity and numeric verdict, and the
SHA-256 of every panel's SVG; beside it stands a small grey PNG of each panel, for comparison by
eye-like distance where the bytes differ.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from ledger import files

FOLDER = Path(__file__).parent / "reference"
SIZE = (160, 120)


def numbers(results: dict) -> dict[str, dict]:
    """All numbers of a results file by name."""
    found = {
        f"quantity: {q['name']}": {"value": [q["value"]], "standard_error": q["standard_error"]}
        for q in results["quantities"]
    }
    for v in results["verdicts"]:
        entry = {"verdict": v["verdict"]}
        if isinstance(v["found"], (int, float, list)):
            entry |= {
                "value": v["found"] if isinstance(v["found"], list) else [v["found"]],
                "standard_error": v["standard_error"],
            }
        found[f"verdict: {v['claim_id']} {v['route']}".strip()] = entry
    return found


def thumbnail(path: Path) -> Image.Image:
    """A panel as a small grey picture."""
    return Image.open(path).convert("L").resize(SIZE, Image.Resampling.BOX)


def distance(a: Image.Image, b: Image.Image) -> float:
    """Root mean square difference of two pictures, as a fraction of full scale."""
    return float(np.sqrt(np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2)) / 255)


def digest(panel: Path) -> str:
    return json.loads(panel.with_suffix(".json").read_text(encoding="utf-8"))["sha256"]["svg"]


def main() -> None:
    """Write the references from figures/."""
    import shutil

    shutil.rmtree(FOLDER, ignore_errors=True)
    for results in sorted((files.ROOT / "figures" / "results").glob("*.json")):
        content = json.loads(results.read_text(encoding="utf-8"))
        panels = {
            figure["name"]: digest(files.ROOT / "figures" / f"{figure['name']}.svg")
            for figure in content["figures"]
        }
        files.write_atomically(
            FOLDER / f"{results.stem}.json",
            files.to_json({"numbers": numbers(content), "panels": panels}),
        )
        for name in panels:
            stream = io.BytesIO()
            thumbnail(files.ROOT / "figures" / f"{name}.png").save(
                stream, format="PNG", optimize=True
            )
            files.write_atomically(FOLDER / results.stem / f"{name}.png", stream.getvalue())
        print(
            f"{results.stem}: {len(content['quantities'])} quantities, "
            f"{len(content['verdicts'])} verdicts, {len(panels)} panels"
        )


if __name__ == "__main__":
    main()
