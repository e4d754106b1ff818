"""The sample sheet: every file one row, whatever the sheet looks like; faults are said and cost their own row only."""

import csv
import io
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peled.formats import FormatError, spectra, tcspc, vamas
from peled.samples import Content, Holdings, SheetError, read_sheet, schema

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def parts(path):
    """A sniffer that names parts, as the topics' own do."""
    if path.is_dir() or path.suffix in (".tif", ".npz", ".ufs"):
        return None
    if path.name.startswith("trpl_"):
        return Content("trpl", tcspc.read_histogram(path).labels)
    if path.suffix == ".vms":
        return Content(path.stem, tuple(dict.fromkeys(s.sample for s in vamas.read_vamas(path))))
    if path.parent.name == "energetics" or path.name == "icpms.csv":
        names = [r.get("sample") or r.get("name") for r in csv.DictReader(path.open("r"))]
        return Content("icpms", tuple(dict.fromkeys(filter(None, names))))
    if path.suffix == ".yaml":
        return Content("procedure", ("GL", "EDTA", "E+G"))
    return Content("pl", tuple(spectra.read_spectra(path).labels))


def folder(tmp_path, sheet="", files=(), name="samples.csv"):
    """A folder with empty files and a sheet."""
    for file in files:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
    if sheet:
        (tmp_path / name).write_text(sheet, encoding="utf-8")
    return tmp_path


def read(tmp_path, sheet, files, topic="led", **more):
    return read_sheet(folder(tmp_path, sheet, files), topic, **more)


def cells(sheet, *names):
    return [tuple(getattr(row, name) for name in names) for row in sheet.rows]


# ---- the bundled folders and those of laboratories ----------------------------------------------------------------------


@pytest.mark.parametrize("topic", schema.topics())
def test_each_bundled_file_finds_one_row(topic):
    sheet = read_sheet(ROOT / "data" / topic, topic, sniff=parts)
    assert not sheet.messages and not sheet.unlisted, sheet
    assert not [row.problems for row in sheet if row.problems]
    places = cells(sheet, "file", "part")
    assert len(places) == len(set(places))
    assert sheet.doi == "10.1038/s41586-021-03217-8", "the paper's own folders allow verdicts"
    assert not any(row.doubt for row in sheet), "written by a person"


def test_the_bundled_led_folder_in_numbers():
    sheet = read_sheet(ROOT / "data" / "led", "led", sniff=parts)
    assert len(sheet.select(measurement="jvl", group="E+G batch")) == 25
    (row,) = [row for row in sheet.select(measurement="lifetime") if "0.1mA" in row.file]
    assert row.settings["current_mA_cm2"] == 0.1 and row.sample == "ed8_EG"


LAB = {
    "lab_A_flat": ("light/lab/A_flat", "led", 7),
    "lab_B_oceanfiles": ("light/lab/B_oceanfiles", "led", 6),
    "lab_photoluminescence": ("light/lab/photoluminescence", "photoluminescence", 9),
}


@pytest.mark.parametrize("name", LAB)
def test_sheets_of_laboratories_expand_on_their_folders(name, tmp_path):
    place, topic, rows = LAB[name]
    data, sheet = SHARED / "failing" / place, SHARED / "design" / "sheets" / f"{name}.csv"
    if not data.is_dir() or not sheet.is_file():
        pytest.skip("no laboratory folders beside the repository")
    text = sheet.read_text().replace(",calibration,", ",gain,")
    found = read_sheet(data, topic, sniff=parts, samples=folder(tmp_path, text) / "samples.csv")
    assert not found.unlisted and not found.messages
    assert len(found.select()) == rows
    assert found.doi == "", "a foreign folder allows no verdict"
