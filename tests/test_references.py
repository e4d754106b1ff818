"""Today's numbers and panels against the accepted ones.

A number may move by 1e-6 of itself, or by a thousandth of its standard error where that is more:
another processor moves the last digits of a fit. A standard error may move by a thousandth. A panel
whose bytes differ may differ by 2 % root mean square.
"""

import json

import pytest
from PIL import Image

from ledger import files
from references import FOLDER, digest, distance, numbers, thumbnail

TOPICS = sorted(path.stem for path in FOLDER.glob("*.json"))
RELATIVE, OF_STANDARD_ERROR, ERROR_RELATIVE, RMS = 1e-6, 1e-3, 1e-3, 0.02


def reference(topic):
    return json.loads((FOLDER / f"{topic}.json").read_text(encoding="utf-8"))


def results(topic):
    path = files.ROOT / "figures" / "results" / f"{topic}.json"
    if not path.exists():
        pytest.fail(f"figures/results/{topic}.json is not there: run `make figures`")
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_notebook_has_references():
    assert (
        sorted(path.stem[3:] for path in (files.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
        == TOPICS
    )


@pytest.mark.parametrize("topic", TOPICS)
def test_numbers(topic):
    expected, found = reference(topic)["numbers"], numbers(results(topic))
    assert set(found) == set(expected)
    moved = [line for name, old in expected.items() for line in movements(name, old, found[name])]
    assert not moved, "\n".join(moved[:20])


def movements(name, old, new):
    """What differs by more than another processor makes."""
    if old.get("verdict") != new.get("verdict"):
        yield f"{name}: {old.get('verdict')} -> {new.get('verdict')}"
    error, other = old.get("standard_error"), new.get("standard_error")
    if (error is None) != (other is None) or abs((error or 0) - (other or 0)) > max(
        ERROR_RELATIVE * (error or 0), 1e-12
    ):
        yield f"{name}: standard error {error!r} -> {other!r}"
    for a, b in zip(old.get("value", []), new.get("value", []), strict=True):
        if abs(a - b) > max(RELATIVE * abs(a), OF_STANDARD_ERROR * (error or 0), 1e-12):
            yield f"{name}: {a!r} -> {b!r}"


def test_the_test_of_numbers_can_fail():
    old = {"value": [1.0], "standard_error": 0.1, "verdict": "agrees"}
    assert not list(movements("a", old, dict(old, value=[1.00005], standard_error=0.10005)))
    for change in (
        {"value": [1.001]},
        {"standard_error": 0.101},
        {"standard_error": None},
        {"verdict": "disagrees"},
    ):
        assert len(list(movements("a", old, old | change))) == 1


@pytest.mark.parametrize("topic", TOPICS)
def test_panels(topic):
    expected = reference(topic)["panels"]
    assert {figure["name"] for figure in results(topic)["figures"]} == set(expected)
    moved = []
    for name, old in expected.items():
        if digest(files.ROOT / "figures" / f"{name}.svg") != old:
            rms = distance(
                thumbnail(files.ROOT / "figures" / f"{name}.png"),
                Image.open(FOLDER / topic / f"{name}.png"),
            )
            if rms > RMS:
                moved.append(f"{name}: {rms:.3f}")
    assert not moved, "panels that look different (root mean square): " + ", ".join(moved)


def test_the_picture_test_can_fail(tmp_path):
    """A panel without its curve is further off than allowed."""
    import numpy as np

    from peled import figures

    pictures = []
    for draw in (True, False):
        figures.use_style()
        fig, ax = figures.panel("fig1a")
        if draw:
            ax.plot(np.linspace(0, 1), np.linspace(0, 1) ** 2, lw=2)
        ax.set(xlim=(0, 1), ylim=(0, 1))
        figures.save(fig, tmp_path, figures.Provenance("fig1a", "recomputed", "", {}))
        pictures.append(thumbnail(tmp_path / "fig1a.png"))
    assert distance(*pictures) > RMS and distance(pictures[0], pictures[0]) == 0
