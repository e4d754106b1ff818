"""Panels: names, provenance, and the same bytes for the same content."""

import hashlib
import json
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from ledger import files
from peled import figures


def draw(folder, kind="recomputed", name="fig2g"):
    figures.use_style()
    fig, ax = figures.panel(name, title="decay")
    t = np.linspace(0, 5, 200)
    ax.plot(t, np.exp(-t), label="τ = 1 ps")
    ax.pcolormesh([0, 1], [0, 1], [[1.0]], rasterized=True)
    ax.legend()
    ax.set_xlabel("delay (ps)")
    figures.save(
        fig,
        folder,
        figures.Provenance(
            name,
            kind,
            "decay",
            {"data/x.csv": "0" * 64},
            "notebooks/03.ipynb",
            "fig-2g",
            {"quick": False},
            ("tau is 1 ps",),
        ),
    )
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_the_same_content_gives_the_same_bytes_in_every_process(tmp_path):
    found = []
    for name, environment in (
        ("a", {"PYTHONHASHSEED": "1"}),
        ("b", {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}),
    ):
        (tmp_path / name).mkdir()
        code = (
            f"import sys, pathlib; sys.path.insert(0, {str(files.ROOT / 'tests')!r}); "
            "import test_figures; "
            f"test_figures.draw(pathlib.Path({str(tmp_path / name)!r}))"
        )
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            env={**os.environ, "MPLBACKEND": "agg", **environment},
        )
        found.append(
            {
                p.name: hashlib.sha256(p.read_bytes()).hexdigest()
                for p in sorted((tmp_path / name).iterdir())
            }
        )
    assert found[0] == found[1] and set(found[0]) == {"fig2g.svg", "fig2g.png", "fig2g.json"}


def test_sidecar_and_embedded_metadata_tell_what_the_panel_stands_on(tmp_path):
    draw(tmp_path, kind="simulated")
    sidecar = json.loads((tmp_path / "fig2g.json").read_text())
    assert sidecar["source_kind"] == "simulated" and sidecar["inputs"] == {"data/x.csv": "0" * 64}
    assert (
        sidecar["cell"] == "fig-2g"
        and sidecar["assumptions"] == ["tau is 1 ps"]
        and "numpy" in sidecar["packages"]
    )
    assert (
        sidecar["sha256"]["svg"]
        == hashlib.sha256((tmp_path / "fig2g.svg").read_bytes()).hexdigest()
    )
    svg = (tmp_path / "fig2g.svg").read_text()
    assert "simulated" in svg and 'id="source-kind"' in svg and "<dc:date>" not in svg
    from PIL import Image

    text = Image.open(tmp_path / "fig2g.png").text
    assert json.loads(text["Description"])["source_kind"] == "simulated" and "Software" not in text


def test_every_kind_has_its_stamp_and_no_other(tmp_path):
    for kind in figures.KINDS:
        draw(tmp_path, kind=kind, name=f"fig1{kind[0]}")
    with pytest.raises(ValueError, match=r"source kind.*guessed"):
        draw(tmp_path, kind="guessed")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_named(tmp_path):
    tmp_path.chmod(stat.S_IREAD | stat.S_IEXEC)
    with pytest.raises(OSError, match=tmp_path.name):
        draw(tmp_path)


def test_a_folder_that_is_a_file_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "figures").write_text("a file")
    with pytest.raises(OSError, match="figures"):
        draw_into = tmp_path / "figures"
        figures.use_style()
        fig, _ = figures.panel("fig1a")
        figures.save(fig, draw_into, figures.Provenance("fig1a", "recomputed", "", {}))
    assert [p.name for p in tmp_path.iterdir()] == ["figures"]
