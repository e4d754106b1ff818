"""Photoelectron spectra: VAMAS, round trips, irregular scans, CasaXPS comments, what is refused;
texts of other programs."""

from pathlib import Path

import numpy as np
import pytest

from hassan2021.simulate.writers import write_vamas
from peled.formats import FormatError
from peled.formats.photoelectrons import read_photoelectrons
from peled.formats.vamas import is_vamas, read_vamas
from peled.structure.rows import sniff


def blocks():
    kinetic = np.arange(1400, 1445, 0.1)
    counts = np.random.default_rng(0).poisson(500, len(kinetic))
    one = {
        "name": "neat Br 3d",
        "sample": "neat",
        "technique": "XPS",
        "source": "Al K alpha",
        "photon_energy_eV": 1486.7,
        "species": "Br",
        "transition": "3d",
        "kinetic_energy_eV": kinetic,
        "counts": counts,
        "pass_energy_eV": 20,
        "scans": 4,
        "target_bias_V": -5,
    }
    return [
        one,
        one
        | {"name": "E+G Br 3d", "sample": "E+G", "transmission": np.linspace(2, 1, len(kinetic))},
    ]


@pytest.mark.parametrize("irregular", [False, True])
def test_round_trip(tmp_path, irregular):
    path = tmp_path / "a.vms"
    write_vamas(path, blocks(), comment=("made for a test", "two lines"), irregular=irregular)
    assert is_vamas(path)
    first, second = read_vamas(path)
    assert (first.sample, second.sample, first.transition, first.source) == (
        "neat",
        "E+G",
        "Br 3d",
        "Al K alpha",
    )
    assert first.counts == pytest.approx(blocks()[0]["counts"])
    assert first.kinetic_energy_eV == pytest.approx(blocks()[0]["kinetic_energy_eV"], abs=0.01)
    assert first.binding_energy_eV + first.kinetic_energy_eV == pytest.approx(
        np.full(len(first.counts), 1486.7)
    )
    assert first.transmission is None
    assert second.transmission == pytest.approx(np.linspace(2, 1, len(second.counts)), rel=1e-5)
    assert (first.scans, first.pass_energy_eV, first.target_bias_V) == (4, 20, -5)


def test_real_irregular_file_with_casaxps_blocks(samples):
    path = samples / "xps" / "FeO_analyzed.vms"
    if not path.is_file():
        pytest.skip("sample files not here")
    (s,) = read_vamas(path)
    assert len(s.counts) == 1121
    assert s.photon_energy_eV == pytest.approx(1486.61)
    assert s.kinetic_energy_eV[:2] == pytest.approx([736.61, 736.66])
    assert s.counts[0] == pytest.approx(12516.9)
    assert s.casa_regions[0]["background"] == "U 3 Tougaard"
    assert s.casa_regions[0]["rsf"] == pytest.approx(16.42)
    assert [round(c["binding_energy_eV"], 1) for c in s.casa_components] == [
        709.0,
        716.0,
        722.1,
        729.9,
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("IRREGULAR", "MAPPING", "REGULAR or IRREGULAR"),
        ("NORM", "WHATEVER", "experiment mode"),
        ("VAMAS Surface", "Some other", "VAMAS"),
        ("pulse counting\r\n", "pulse counting\r\nextra line\r\n", "a number"),
        ("Kinetic Energy\r\neV", "Mass\r\namu", "energy"),
    ],
)
def test_what_does_not_follow_the_standard_is_refused(tmp_path, old, new, expected):
    path = tmp_path / "a.vms"
    write_vamas(path, blocks()[:1], irregular=True)
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(FormatError, match=expected):
        read_vamas(path)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.95])
def test_cut_files_are_refused(tmp_path, share):
    path = tmp_path / "a.vms"
    write_vamas(path, blocks())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=r"a\.vms, line"):
        read_vamas(path)


def test_exclusion_list_is_refused(tmp_path):
    path = tmp_path / "a.vms"
    write_vamas(path, blocks()[:1])
    lines = path.read_bytes().decode().split("\r\n")
    at = lines.index("Exp Variable")
    lines[at + 2] = "3"
    path.write_bytes("\r\n".join(lines).encode())
    with pytest.raises(FormatError, match="inclusion or exclusion"):
        read_vamas(path)


def test_texts_of_spectrometers_are_photoelectrons(tmp_path):
    """Scienta SES and SPECS Prodigy: energies, counts and times as the files say."""
    folder = Path(__file__).parent / "formats"
    carbon, iodine = read_photoelectrons(folder / "xps_scienta.txt")
    assert carbon.binding_energy_eV == pytest.approx(1486.7 - np.arange(1200, 1202.1, 0.5))
    assert carbon.counts[2] == 410 and carbon.collection_time_s == 4  # slices are summed
    assert (iodine.name, iodine.sample, iodine.collection_time_s) == ("I 3d", "film", None)
    first, second = read_photoelectrons(folder / "xps_specs.xy")
    assert first.counts == pytest.approx(np.array([1000, 1050, 1550, 2000, 1750]))  # half a second
    assert (first.photon_energy_eV, second.name) == (1486.61, "Br3d cycle 1")
    assert {sniff(folder / n).measurement for n in ("xps_scienta.txt", "xps_specs.xy")} == {"xps"}
    bromide, iodide = read_photoelectrons(folder / "xps_casaxps.txt")
    assert (bromide.sample, bromide.name, bromide.collection_time_s) == ("film", "Br3d", 2)
    # As calibrated in the program, not from kinetic energies; counts, not counts per second.
    assert bromide.binding_energy_eV == pytest.approx(np.arange(72, 67, -1.0))
    assert bromide.counts[3] == 1200 and iodide.counts.tolist() == [90, 95, 200, 150]
    assert sniff(folder / "xps_casaxps.txt").measurement == "xps"
    rate = tmp_path / "rate.txt"
    text = (folder / "xps_casaxps.txt").read_text(encoding="utf-8")
    rate.write_text(text.replace("\tCounts\t", "\tCorrected\t"))
    with pytest.raises(FormatError, match="line 9"):
        read_photoelectrons(rate)
    blank = tmp_path / "blank.vms"
    blank.write_text("\n\n" + (folder / "xps_regular.vms").read_text(encoding="utf-8"))
    assert len(read_photoelectrons(blank)) == len(read_vamas(folder / "xps_regular.vms"))


def test_an_axis_that_is_no_wavenumber_is_no_infrared(tmp_path):
    """Heads by abbreviation; a bare survey from 0 eV and a foreign axis are not taken for bands."""
    path = tmp_path / "a.csv"
    for head, x, word in (
        ("BE/eV", np.linspace(301, 280, 40), "xps"),
        ("K.E.,", np.linspace(900, 960, 40), "xps"),
        ("PE/eV", np.linspace(270, 320, 40), ""),
        ("", np.linspace(0, 1200, 40), ""),
    ):
        rows = [f"{a:.2f},{100 + i}" for i, a in enumerate(x)]
        first = [f"{head.rstrip(',')},counts"] if head else []
        path.write_text("\n".join(first + rows), encoding="utf-8")
        if word:
            assert sniff(path).measurement == word
        else:
            with pytest.raises(FormatError, match="an axis of binding"):
                sniff(path)


def test_a_file_is_opened_once_to_see_what_it_is(tmp_path, monkeypatch):
    """However many readers look at it."""
    opened, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: (opened.append(p.name), read_bytes(p))[1])
    folder = Path(__file__).parent / "formats"
    for name in ("eds_counts.csv", "xps_regular.vms", "ftir.dpt", "xps_casaxps.txt"):
        sniff(folder / name)
        assert opened == [name]
        opened.clear()
