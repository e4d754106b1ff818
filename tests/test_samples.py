"""The sample sheet: every file one row; faults are said and cost their own row only."""

import csv
import io
import pickle
import re
import zipfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest
from frictionless import Schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peled.formats import FormatError, spectra, tcspc, vamas
from peled.samples import Content, Holdings, SheetError, propose, read_sheet, schema

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
    if path.name == "absorption_solution.txt":
        return Content("absorption", ("%T neat",))
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


def read(tmp_path, sheet, files, topic="led", sniff=None):
    """A sheet over files of which `sniff` tells the content; that of a folder nobody knows."""
    data = folder(tmp_path, sheet, files)
    return read_sheet(data, topic, sniff=sniff and (lambda p: sniff(p) if p.is_file() else None))


def cells(sheet, *names):
    return [tuple(getattr(row, name) for name in names) for row in sheet.rows]


# ---- the bundled folders and those of laboratories ---------------------------------------------


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


LAB_NAMES = {
    "lab_helios": (
        ["ACN_1_scan0.ufs", "ACN_1_scan1.ufs", "solvent_ACN.csv"],
        [("ACN", "sample", {"scan": 0}), ("ACN", "sample", {"scan": 1}), ("", "blank", {})],
    ),
    "lab_nmrB": (
        [f"{n}/{f}" for n in (1, 12) for f in ("acqus", "fid", "pdata/1/procs")]
        + ["experiments.csv"],
        [("cp", "sample", {}), ("cp", "sample", {}), ("", "ignore", {})],
    ),
}


@pytest.mark.parametrize("name", LAB_NAMES)
def test_sheets_of_laboratories_expand_on_names_alone(name, tmp_path):
    sheets = {
        "lab_helios": "sample,measurement,file,role,scan\n{sample},ta,{sample}_1_scan{scan}.ufs,,\n"
        ",ta,solvent_ACN.csv,blank,\n",
        "lab_nmrB": "sample,measurement,file,role\ncp,contact,{replicate},\n"
        ",,experiments.csv,ignore\n",
    }
    files, expected = LAB_NAMES[name]
    topic = "nmr" if "nmr" in name else "transient_absorption"
    sheet = read(tmp_path, sheets[name], files, topic)
    assert not sheet.unlisted and not sheet.messages
    assert cells(sheet, "sample", "role", "settings") == expected


# ---- expansion ---------------------------------------------------------------------------------


def test_most_literal_characters_win(tmp_path):
    sheet = read(
        tmp_path,
        "sample,measurement,file\n{sample},jvl,{sample}.csv\nspecial,jvl,dev_*.csv\n",
        ["a.csv", "dev_1.csv", "dev_2.csv", "x/a.csv"],
    )
    assert cells(sheet, "file", "sample", "replicate") == [
        ("a.csv", "a", "1"),
        ("dev_1.csv", "special", "1"),
        ("dev_2.csv", "special", "2"),
    ], "rows equal in all else are replicates"
    assert [u.file for u in sheet.unlisted] == ["x/a.csv"], "* does not cross a folder"


def test_a_tie_is_an_error_that_names_both_lines(tmp_path):
    sheet = read(
        tmp_path,
        "sample,measurement,file\na,jvl,a_*.csv\nb,jvl,*_b.csv\nc,jvl,c.csv\n",
        ["a_b.csv", "c.csv"],
    )
    (problem,) = [row.problems[0] for row in sheet if row.problems]
    assert "line 2" in problem and "line 3" in problem
    assert [row.sample for row in sheet.select()] == ["c"], "the others go on"


def test_captures_are_numbers_words_and_equal_where_repeated(tmp_path):
    sheet = read(
        tmp_path,
        "sample,measurement,file\n,el,{sample}/{sample}_{bias_V}V.txt\n"
        ",{measurement},{sample}/{measurement}.csv\n",
        ["d1/d1_-2,5V.txt", "d1/d2_3V.txt", "d1/d1_highV.txt", "d1/jvl.csv", "d1/notes.csv"],
    )
    assert cells(sheet, "file", "sample", "measurement") == [
        ("d1/d1_-2,5V.txt", "d1", "el"),
        ("d1/jvl.csv", "d1", "jvl"),
    ]
    assert sheet.rows[0].settings == {"bias_V": -2.5}
    assert len(sheet.unlisted) == 3


def test_a_folder_is_one_measurement_unless_files_in_it_have_rows(tmp_path):
    files = ["e/1/acqus", "e/1/pdata/1/procs", "e/2/acqus", "t/x.csv"]
    sheet = read(tmp_path, "sample,measurement,file\n{sample},1h,e/{sample}\n,1h,t\n,1h,t/x.csv\n",
                 files, "nmr")  # fmt: skip
    assert cells(sheet.rows and sheet, "file")[:3] == [("e/1",), ("e/2",), ("t/x.csv",)]
    assert sheet.rows[0].path == tmp_path / "e" / "1" and not sheet.unlisted


def test_the_folder_itself_is_one_measurement_where_nothing_in_it_is(tmp_path):
    """Told from its content and named after it; `*` does not take it beside files."""
    data = folder(tmp_path / "film 7", "", ["matrix.txt", "axes/a.txt"])

    def sniff(path):
        return Content("1h") if path.is_dir() and path.samefile(data) else None

    (row,) = read_sheet(data, "nmr", sniff=sniff).rows
    assert (row.sample, row.file) == ("film 7", ".")
    assert row.path.samefile(data) and not row.problems and not row.doubt
    again = read(data, "sample,measurement,file\nx,1h,.\n", [], "nmr")
    assert cells(again, "sample", "file") == [("x", ".")] and not again.unlisted
    every = read(data, "sample,measurement,file\nx,1h,*\n", [], "nmr")
    assert cells(every, "file") == [("axes",), ("matrix.txt",)]


def test_of_nested_folders_the_inner_is_the_measurement(tmp_path):
    files = ["e/1/acqus", "e/1/pdata/procs", "f/fid"]
    sheet = read(tmp_path, "measurement,file\n1h,{sample}\n13c,{sample}/{x_n}\n", files, "nmr")
    assert cells(sheet, "file", "measurement")[0] == ("e/1", "13c")
    assert [row.file for row in sheet.select()] == ["e/1", "f/fid"]


@pytest.mark.parametrize(
    "whole, part, rows",
    [
        ("*.xlsx", "d1.xlsx", [("d1.xlsx", "S2"), ("d2.xlsx", "")]),
        ("d1.xlsx", "*.xlsx", [("d1.xlsx", ""), ("d2.xlsx", "S2")]),
        ("*.xlsx", "*.xlsx", [(f, part) for f in ("d1.xlsx", "d2.xlsx") for part in ("", "S2")]),
    ],
)
def test_the_whole_file_and_its_parts(tmp_path, whole, part, rows):
    sheet = read(tmp_path, f"measurement,file,part\njvl,{whole},\njvl,{part},S2\n",
                 ["d1.xlsx", "d2.xlsx"], sniff=lambda p: Content("jvl", ("S1", "S2")))  # fmt: skip
    found = [(row.file, row.part) for row in sheet.select()]
    assert found == rows


def test_parts_are_rows_of_their_own(tmp_path):
    files = ["pl.txt", "trpl.txt"]
    sheet = read(
        tmp_path,
        "sample,measurement,file,part,role\n{sample},pl,pl.txt,film {sample},\n"
        "{sample},trpl,trpl.txt,{sample},\n,trpl,trpl.txt,IRF,irf\n",
        files,
        "photoluminescence",
        sniff=lambda p: Content("pl", ("film a", "film b/c", "other")) if p.name == "pl.txt"
        else Content("trpl", ("IRF", "x", "y")) if p.is_file() else None,
    )  # fmt: skip
    assert cells(sheet, "part", "sample", "role") == [
        ("film a", "a", "sample"),
        ("film b/c", "b/c", "sample"),
        ("IRF", "", "irf"),
        ("x", "x", "sample"),
        ("y", "y", "sample"),
    ]
    assert [(u.file, u.part) for u in sheet.unlisted] == [("pl.txt", "other")]


def test_a_part_that_is_not_there_is_an_error_of_its_row(tmp_path):
    sheet = read(tmp_path, "sample,measurement,file,part\na,pl,p.txt,Sheet9\nb,pl,q.txt,\n",
                 ["p.txt", "q.txt"], "photoluminescence",
                 sniff=lambda p: Content("pl", ("s1", "s2")))  # fmt: skip
    (bad,) = [row for row in sheet if row.problems]
    assert "Sheet9" in bad.problems[0] and "s1, s2" in bad.problems[0]
    assert [row.sample for row in sheet.select()] == ["b"]
    sheet = read(tmp_path, "sample,measurement,file,part\na,pl,p.txt,s1\nb,pl,p.txt,s9\n",
                 [], "photoluminescence", sniff=lambda p: Content("pl", ("s1", "s2")))  # fmt: skip
    assert [(row.part, bool(row.problems)) for row in sheet if row.sample] == [
        ("s1", False),
        ("", True),
    ]
    left = [(u.file, u.part) for u in sheet.unlisted]
    assert sorted(left) == [("p.txt", "s2"), ("q.txt", "s1"), ("q.txt", "s2")]


NAME = st.text("ab_1.", min_size=1, max_size=5).filter(lambda s: s[0] != ".")
PATTERN = st.lists(st.sampled_from(["a", "b", "_", "1", "*", "{sample}", "{scan}"]), min_size=1,
                   max_size=4).map("".join)  # fmt: skip


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.sets(NAME, max_size=5), st.lists(PATTERN, min_size=1, max_size=4), st.randoms())
def test_every_file_has_at_most_one_row_whatever_the_order(
    tmp_path_factory, names, patterns, random
):
    place = tmp_path_factory.mktemp("any")
    names = {f"{name}.ufs" for name in names}
    lines = [f",ta,{pattern}.ufs,{i}" for i, pattern in enumerate(patterns)]

    def rows(lines):
        text = "\n".join(["sample,measurement,file,x_n", *lines])
        try:
            sheet = read(place, text, names, "transient_absorption")
        except SheetError:
            return None
        good = [row for row in sheet if not row.problems]
        listed = [row.file for row in good]
        assert len(listed) == len(set(listed)) and set(listed) <= names
        seen = {row.file for row in sheet} | {u.file for u in sheet.unlisted}
        assert names <= seen, "no file is lost silently"
        return {(row.file, row.sample, row.free["x_n"], str(row.settings)) for row in good}

    shuffled = random.sample(lines, len(lines))
    assert rows(lines) == rows(shuffled)


# ---- settings, lab.csv, companions -------------------------------------------------------------


def test_the_row_comes_before_the_sheet_before_the_nearest_lab_csv(tmp_path):
    (tmp_path / "lab.csv").write_text(
        "measurement,area_cm2,distance_mm,solid_angle_sr,excitation_nm\n,1,1,1,405\njvl,2,,,\n"
    )
    data = tmp_path / "folder"
    folder(data, "", ["a.csv", "b.csv", "c.txt", "d2/e.csv"])
    (data / "d2" / "lab.csv").write_text("area_cm2\n9\n")
    sheet = read(data, "measurement,file,area_cm2,distance_mm\n,,,4\njvl,*.csv,,\n"
                 "jvl,b.csv,3,\nel,c.txt,,\njvl,d2/e.csv,,\n", [])  # fmt: skip
    areas = {row.file: row.settings["area_cm2"] for row in sheet}
    assert areas == {"a.csv": 2, "b.csv": 3, "c.txt": 1, "d2/e.csv": 9}
    row = sheet.rows[0]
    assert row.settings == {"area_cm2": 2, "distance_mm": 4, "solid_angle_sr": 1}, "of this topic"
    assert "lab.csv, line 3" in row.inherited["area_cm2"]
    assert "samples.csv, line 2" in row.inherited["distance_mm"]


def test_two_settings_lines_that_say_different_things_are_named(tmp_path):
    sheet = read(tmp_path, "measurement,file,area_cm2\n,,1\n,,2\njvl,a.csv,\njvl,b.csv,3\n",
                 ["a.csv", "b.csv"])  # fmt: skip
    bad, good = sheet.rows
    assert "line 2" in bad.problems[0] and "line 3" in bad.problems[0]
    assert good.settings["area_cm2"] == 3


def test_a_companion_serves_its_sample_or_all(tmp_path):
    sheet = read(
        tmp_path,
        "sample,measurement,file,role\na,plqy,a.txt,\nb,plqy,b.txt,\n"
        "a,plqy,dark_a.txt,dark\n,plqy,gain.txt,gain\n,plqy,i1.txt,empty\n,plqy,i2.txt,empty\n",
        ["a.txt", "b.txt", "dark_a.txt", "gain.txt", "i1.txt", "i2.txt"],
        "photoluminescence",
    )
    a, b = (row for row in sheet if row.role == "sample")
    assert sheet.companion(a, "dark").file == "dark_a.txt" and sheet.companion(b, "dark") is None
    assert sheet.companion(a, "gain") == sheet.companion(b, "gain") != None  # noqa: E711
    with pytest.raises(SheetError, match=r"i1\.txt.*i2\.txt"):
        sheet.companion(a, "empty")
    assert len(sheet.companions(a, "empty")) == 2


def test_what_serves_stands_alone_or_was_taken_alike(tmp_path):
    """A response among the decays of another file is theirs; of two darks the one as long."""
    text = (
        "sample,measurement,file,part,role\na,trpl,a.txt,A,\n,trpl,a.txt,IRF,irf\n"
        "b,trpl,b.txt,,\n,trpl,irf.txt,,irf\n"
        "s,plqy,s_direct.txt,,direct\n,plqy,dark_1.txt,,dark\n,plqy,dark_2.txt,,dark\n"
    )
    for name in ("a.txt", "b.txt", "irf.txt", "s_direct.txt", "dark_1.txt", "dark_2.txt"):
        (tmp_path / name).write_text("1 2\n")
    (tmp_path / "samples.csv").write_text(text)
    sheet = read_sheet(tmp_path, "photoluminescence")
    rows = {(row.file, row.part): row for row in sheet}
    assert sheet.companion(rows["a.txt", "A"], "irf").file == "a.txt"
    assert sheet.companion(rows["b.txt", ""], "irf").file == "irf.txt"
    ms = {"s_direct.txt": 400.0, "dark_1.txt": 200.0, "dark_2.txt": 400.0}

    def read(path, row):
        return SimpleNamespace(exposure_ms=ms.get(path.name))

    def served():
        return Holdings(sheet, dict.fromkeys(("trpl", "plqy"), read)).companion(
            rows["s_direct.txt", ""], "dark"
        )

    assert served().row.file == "dark_2.txt"
    ms["dark_2.txt"] = 300.0
    with pytest.raises(SheetError, match="two rows of role dark"):
        served()


def test_what_leans_on_a_row_in_doubt_is_in_doubt(tmp_path):
    """A response that is joined by its name serves every decay: none is free of that doubt, and
    it is still found for each."""
    sheet = read(
        tmp_path,
        "sample,measurement,file,role,proposed\na,plqy,a.txt,,\nb,plqy,b.txt,,\n"
        "a,plqy,dark_a.txt,dark,yes\n,plqy,gain.txt,gain,\n,plqy,i1.txt,empty,yes\n"
        ",plqy,i2.txt,empty,yes\n",
        ["a.txt", "b.txt", "dark_a.txt", "gain.txt", "i1.txt", "i2.txt"],
        "photoluminescence",
    )
    holdings = Holdings(sheet, {"plqy": lambda path, row: path.name})
    doubts = {held.row.file: held.row.doubt for held in holdings}
    assert doubts["a.txt"] == "its dark, dark_a.txt (a), is joined by name"
    assert doubts["b.txt"] == doubts["gain.txt"].replace("gain", "b") == ""
    for held in holdings.select(role="sample"):
        assert holdings.companion(held.row, "gain").data == "gain.txt"
    leaning = holdings.select(sample="a", role="sample")[0].row
    assert holdings.companion(leaning, "dark").data == "dark_a.txt"


def test_of_two_darks_the_one_of_the_same_integration_time_serves(tmp_path):
    sheet = read(
        tmp_path,
        "sample,measurement,file,role,integration_ms\na,pl,a.txt,,100\n"
        ",pl,d1.txt,dark,100\n,pl,d2.txt,dark,50\n",
        ["a.txt", "d1.txt", "d2.txt"],
        "photoluminescence",
    )
    assert sheet.companion(sheet.rows[0], "dark").file == "d1.txt"


# ---- what a sheet may look like, and messages --------------------------------------------------

PLAIN = [
    ["sample", "measurement", "file", "area_cm2", "note"],
    ["Fläche µ", "jvl", "a.csv", "0.045", "x, y"],
    ["b", "jvl", "b.csv", "0.1", ""],
]


def as_csv(rows, delimiter=","):
    return "\n".join(delimiter.join(f'"{c}"' if "," in c else c for c in row) for row in rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_dialects_mean_the_same(tmp_path, delimiter, encoding):
    data = folder(tmp_path, "", ["a.csv", "b.csv"])
    (data / "samples.csv").write_bytes(as_csv(PLAIN).encode())
    digest = read_sheet(data, "led").digest
    text = "# a comment, with commas;\r\n\r\n" + as_csv(PLAIN, delimiter).replace("\n", "\r\n")
    (data / "samples.csv").write_bytes(text.encode(encoding))
    sheet = read_sheet(data, "led")
    assert sheet.digest == digest and not sheet.messages
    assert sheet.rows[0].sample == "Fläche µ" and sheet.rows[0].settings == {"area_cm2": 0.045}
    assert sheet.rows[0].origin.endswith("line 4")


def test_excel_means_the_same(tmp_path):
    data = folder(tmp_path, as_csv(PLAIN), ["a.csv", "b.csv"])
    digest = read_sheet(data, "led").digest
    (data / "samples.csv").unlink()
    book = openpyxl.Workbook()
    for row in PLAIN:
        book.active.append([float(c) if c[:1].isdigit() else c or None for c in row])
    book.save(data / "samples.xlsx")
    assert read_sheet(data, "led").digest == digest
    (data / "samples.csv").write_text(as_csv(PLAIN))
    with pytest.raises(SheetError, match="one sheet"):
        read_sheet(data, "led")


@pytest.mark.parametrize(
    "head, cell, said",
    [
        ("area_mm2", "4.5", "nearest: 'area_cm2'"),
        ("remark", "x", "begin with x_"),
        ("area_cm2", "4.5 mm2", "a number in cm2, found '4.5 mm2'; the unit stands in the column"),
        ("area_cm2", "-1", "above 0"),
        ("area_cm2", "big", "expected a number in cm2"),
        ("measurement", "jlv", "did you mean 'jvl'"),
        ("role", "calibration", "did you mean 'gain'"),
        ("measurement", "ignore", "is a word of role"),
        ("current_unit", "mA/cm^2", "did you mean 'mA/cm2'"),
        ("state", "{stte}", "stands neither in file nor in part"),
        ("part", "{smple}", "nearest: 'sample'"),
        ("doi", "doi of the paper", "expected the form 10"),
        ("proposed", "maybe", "expected yes"),
    ],
)
def test_messages_name_line_column_and_the_nearest_word(tmp_path, head, cell, said):
    sheet = read(tmp_path, f"sample,file,{head}\na,a.csv,{cell}\nb,b.csv,\n", ["a.csv", "b.csv"],
                 sniff=lambda p: Content("jvl"))  # fmt: skip
    message = next(m for m in sheet.messages if m.line == 2)
    assert message.column == head and said in str(message) and "samples.csv, line 2" in str(message)
    bad, good = sheet.rows
    assert bad.problems and not good.problems and good.sample == "b"
    with pytest.raises(SheetError, match="line 2"):  # no row can be understood
        read(tmp_path, f"sample,file,{head}\na,a.csv,{cell}\n", [])


@pytest.mark.parametrize("path", ["../a.csv", "/data/a.csv", "C:\\data\\a.csv"])
def test_a_sheet_speaks_of_its_own_folder(tmp_path, path):
    sheet = read(tmp_path, f"measurement,file\njvl,{path}\njvl,x\\b.csv\n", ["x/b.csv"])
    assert "below the folder" in str(sheet.messages[0]) and sheet.rows[-1].problems
    assert [row.file for row in sheet.select()] == ["x/b.csv"], "a Windows path is read"


def test_a_pattern_that_would_take_for_ever_is_refused(tmp_path):
    sheet = read(tmp_path, "measurement,file\njvl,*a*a*a*a*a*b.csv\njvl,a.csv\n", ["a.csv"])
    assert "at most 5" in str(sheet.messages[0]) and len(sheet.select()) == 1


def test_a_decimal_comma_that_splits_a_cell_is_said(tmp_path):
    with pytest.raises(SheetError, match="decimal comma"):
        read(tmp_path, "file,measurement,area_cm2\na.csv,jvl,0,045\n", ["a.csv"])


def test_a_row_without_file_is_an_error_of_that_row_only(tmp_path):
    sheet = read(tmp_path, "measurement,file\njvl,gone.csv\njvl,a.csv\n", ["a.csv"])
    assert "gone.csv" in sheet.rows[-1].problems[0] and len(sheet.select()) == 1


def test_a_file_in_no_row_is_listed_with_its_proposed_row(tmp_path):
    sheet = read(tmp_path, "measurement,file,role\njvl,a.csv,\n,*.log,ignore\n",
                 ["a.csv", "b_3.0V.txt", "c.bin", "d.log", ".hidden", "README.md", "Thumbs.db"],
                 sniff=lambda p: Content("el") if p.suffix == ".txt" else None)  # fmt: skip
    known, unknown = sheet.unlisted
    assert known.proposed == {"sample": "b", "measurement": "el", "file": "b_3.0V.txt",
                              "bias_V": "3.0", "proposed": "yes"}  # fmt: skip
    assert unknown.file == "c.bin" and not unknown.proposed
    assert "not in the sheet" in repr(sheet) and "c.bin" in sheet._repr_html_()


def test_a_doi_allows_verdicts_only_if_every_row_says_it(tmp_path):
    one = "measurement,file,doi\njvl,a.csv,10.1000/x\njvl,b.csv,\n"
    assert read(tmp_path, one, ["a.csv", "b.csv"]).doi == ""
    assert read(tmp_path, one + ",,10.1000/x\n", []).doi == "10.1000/x"
    (tmp_path / "lab.csv").write_text("doi\n10.1000/x\n")
    sheet = read(tmp_path, one, [])
    assert sheet.doi == "" and "not into lab.csv" in str(sheet.messages[0])


def test_relative_paths_count_from_the_working_directory(tmp_path, monkeypatch):
    folder(tmp_path / "data", "", ["a.csv"])
    folder(tmp_path, "measurement,file\njvl,a.csv\n", name="own.csv")
    monkeypatch.chdir(tmp_path)
    assert len(read_sheet("data", "led", samples="own.csv").select()) == 1
    with pytest.raises(SheetError, match="expected a folder"):
        read_sheet("nowhere", "led")
    with pytest.raises(SheetError, match="csvv"):
        read_sheet("data", "led", samples="own.csvv")
    with pytest.raises(SheetError, match="nearest: 'led'"):
        read_sheet("data", "leds")


@cache
def workbook():
    book, stream = openpyxl.Workbook(), io.BytesIO()
    for row in PLAIN:
        book.active.append(row)
    book.save(stream)
    return stream.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_sheets_raise_nothing_but_sheet_error(tmp_path_factory, data):
    place = folder(tmp_path_factory.mktemp("broken"), "", ["a.csv", "b_2V.txt"])
    good = as_csv(PLAIN).encode()
    kind = data.draw(st.sampled_from(["bytes", "mutant", "cells", "xlsx"]))
    name = "samples.xlsx" if kind == "xlsx" else "samples.csv"
    if kind == "bytes":
        content = data.draw(st.binary(max_size=200))
    elif kind == "cells":
        piece = st.sampled_from(["file", "sample", "part", "{", "}", "{sample}", "*", ",", ";", '"',
                                 "\n", "a.csv", "\\", "[", "(", "jvl", "measurement", "#", "9e999",
                                 "area_cm2", "{bias_V}", "x_", "role", "\0", "İ", "∞"])  # fmt: skip
        content = "".join(data.draw(st.lists(piece, max_size=40))).encode()
    else:
        good = workbook() if kind == "xlsx" else good
        content = bytearray(good)
        for _ in range(data.draw(st.integers(0, 6))):
            content[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
        content = bytes(content[: data.draw(st.integers(0, len(good)))])
    (place / name).write_bytes(content)
    try:
        sheet = read_sheet(place, "led")
        sheet.digest, sheet.doi, repr(sheet), sheet.proposal(), sheet._repr_html_()
    except SheetError as error:
        assert error.messages and str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_workbook_that_unfolds_without_end_is_refused(tmp_path):
    with zipfile.ZipFile(folder(tmp_path) / "samples.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (80 * 2**20))
    with pytest.raises(SheetError, match="of at most 64 MB, found 80 MB"):
        read_sheet(tmp_path, "led")


# ---- the proposal ------------------------------------------------------------------------------


def by_suffix(path):
    """A sniffer as simple as can be; a folder is no measurement."""
    if path.is_dir() or path.suffix == ".bin":
        raise FormatError(path, expected="a known format", found="something else")
    kinds = {".csv": "jvl", ".txt": "el", ".log": "lifetime", ".tsv": "el_series"}
    return Content(kinds[path.suffix])


def proposed(tmp_path, files, topic="led", sniff=by_suffix):
    return read(tmp_path, "", files, topic, sniff=sniff)


def test_a_flat_folder_is_joined_by_stems_and_numbers(tmp_path):
    files = ["pixel1.csv", "pixel1_3.0V.txt", "pixel1_-2,5V.txt", "pixel1_20mA_life.log", "p9.csv",
             "pixel10.csv"]  # fmt: skip
    sheet = proposed(tmp_path, files)
    rows = {row.file: row for row in sheet}
    assert {f: rows[f].sample for f in files[:4]} == dict.fromkeys(files[:4], "pixel1")
    assert rows["pixel1_3.0V.txt"].settings == {"bias_V": 3.0}
    assert rows["pixel1_-2,5V.txt"].settings == {"bias_V": -2.5}
    assert rows["pixel1_20mA_life.log"].free == {"x_mA": "20"}, "a current is no density"
    assert rows["pixel1_3.0V.txt"].doubt == "joined by name"
    assert rows["pixel10.csv"].sample == "pixel10" and not rows["pixel10.csv"].doubt
    assert not any(row.group for row in sheet)


def test_names_of_one_kind_are_not_joined_and_patterns_that_would_mix_kinds_are_not_used(tmp_path):
    sheet = proposed(tmp_path, ["EG.csv", "EG_2.csv"])
    assert cells(sheet, "sample", "doubt") == [("EG", ""), ("EG_2", "")]
    kinds = dict.fromkeys(("EG", "EG_2"), "jvl") | dict.fromkeys(("c", "d"), "lifetime")
    sheet = proposed(tmp_path, ["c.csv", "d.csv"], sniff=lambda p: Content(kinds[p.stem]))
    assert {row.sample: row.measurement for row in sheet.select()} == kinds, "a pattern would tie"


def test_a_folder_a_pixel_names_the_sample(tmp_path):
    files = [f"dev{i}/{name}" for i in (1, 2) for name in ("jvl.csv", "3.0V.txt", "4V.txt")]
    sheet = proposed(tmp_path, [*files, "dev1/curve.tsv", "dev2/curve.tsv"])
    assert all(row.sample == row.file.split("/")[0] for row in sheet), sheet
    text = sheet.proposal()
    assert "{sample},el,{sample}/{bias_V}V.txt,{bias_V},yes" in text, "patterns where they can be"


def test_a_folder_a_sample_with_files_a_role(tmp_path):
    files = [f"sphere_{s}/{r}.txt" for s in ("neat", "EG") for r in ("direct", "empty", "indirect")]
    sheet = proposed(tmp_path, [*files, "sphere_calibration.txt"], "photoluminescence",
                     lambda p: None if p.is_dir() else Content("plqy"))  # fmt: skip
    rows = {row.file: row for row in sheet}
    assert (rows["sphere_EG/indirect.txt"].sample, rows["sphere_EG/indirect.txt"].role) == (
        "EG",
        "indirect",
    )
    gain = rows["sphere_calibration.txt"]
    assert gain.role == "gain" and gain.sample == "" and gain.doubt
    assert sheet.companion(rows["sphere_neat/direct.txt"], "gain") == gain


EITHER = Content("pl", also=("plqy",))


@pytest.mark.parametrize("names, of", [
    (("f_direct.txt", "f_empty.txt", "dark_20ms.txt"), "plqy"),  # runs beside each other
    (("f_in.txt", "f_out.txt", "empty.txt"), "plqy"),
    (("f/direct.txt", "f/indirect.txt", "g/direct.txt", "g/indirect.txt"), "plqy"),
    (("f_direct.txt", "calibration.csv"), "plqy"),  # or below a calibration
    (("f/direct.txt", "f/dark.txt", "calibration.csv"), "plqy"),
    (("f_direct.txt", "dark.txt"), "pl"),
    (("aged_in_air.txt", "fresh.txt", "dark.txt"), "pl"),  # a word alone is none of a run
    (("film.txt", "dark.txt", "calibration.csv"), "pl"),
])  # fmt: skip
def test_runs_of_a_sphere_are_known_by_their_roles_together(tmp_path, names, of):
    gain = {"calibration.csv": Content("plqy", role="gain")}
    sheet = proposed(tmp_path, names, "photoluminescence",
                     lambda p: None if p.is_dir() else gain.get(p.name, EITHER))  # fmt: skip
    found = {row.measurement for row in sheet if row.role != "gain"}
    assert found == {of}, sheet
    roles = {Path(row.file).stem.split("_")[-1]: row.role for row in sheet}
    assert of == "pl" or roles.get("in", "direct") == roles.get("direct", "direct") == "direct"


def test_spectra_beside_runs_stay_spectra_and_keep_their_dark(tmp_path):
    names = ["f_direct.txt", "f_empty.txt", "film.txt", "dark.txt"]
    sheet = proposed(tmp_path, names, "photoluminescence", lambda p: EITHER)
    of = {row.file: (row.measurement, row.role) for row in sheet}
    assert of["film.txt"] == ("pl", "sample") and of["dark.txt"] == ("pl", "dark")
    assert of["f_direct.txt"] == ("plqy", "direct") and of["f_empty.txt"] == ("plqy", "empty")


def test_a_role_that_a_measurement_has_not_is_an_error_of_its_row(tmp_path):
    """Whatever the topic: no row with a role that nothing would use passes for a good one."""
    for topic in schema.topics():
        words = schema.columns(topic)["measurement"].words
        lines = [(m, role) for m in words for role in schema.columns(topic)["role"].words]
        rows = "".join(f"s,{m},{i}.txt,{role}\n" for i, (m, role) in enumerate(lines))
        sheet = read(tmp_path / topic, f"sample,measurement,file,role\n{rows}",
                     [f"{i}.txt" for i in range(len(lines))], topic)  # fmt: skip
        for row in sheet:
            taken = {"sample", "ignore", *words[row.measurement].roles}
            assert bool(row.problems) == (row.role not in taken), row
            said = "".join(row.problems)
            assert not said or (repr(row.role) in said and f"a row of {row.measurement}" in said)
    (wrong,) = (r for r in sheet_of_pl(tmp_path) if r.problems)
    assert wrong.problems == (
        "role: expected sample, dark or ignore in a row of pl, found 'direct'; if it is plqy, "
        "say so in measurement; else correct role (empty: the sample itself)",
    )


def sheet_of_pl(tmp_path):
    text = "sample,measurement,file,role\nf,pl,a.txt,\nf,pl,b.txt,direct\n"
    return read(tmp_path / "pl", text, ["a.txt", "b.txt"], "photoluminescence")


def test_a_table_of_parts_is_a_row_a_part_and_a_series_is_one(tmp_path):
    contents = {
        "films.csv": Content("pl", ("S12 reference", "S13 PEABr 5%")),
        "trpl.csv": Content("trpl", ("IRF", "x")),
        "seg_x.csv": Content("pl_series", ("0 s", "5 s"), axis="time_s"),
    }
    sheet = proposed(tmp_path, contents, "photoluminescence", lambda p: contents.get(p.name))
    assert cells(sheet, "file", "part", "sample", "role") == [
        ("films.csv", "S12 reference", "S12 reference", "sample"),
        ("films.csv", "S13 PEABr 5%", "S13 PEABr 5%", "sample"),
        ("seg_x.csv", "", "seg_x", "sample"),
        ("trpl.csv", "IRF", "", "irf"),
        ("trpl.csv", "x", "x", "sample"),
    ]


@pytest.mark.parametrize(
    "name, column, value",
    [
        ("film-10min", "time_s", 600.0),
        ("film_2h", "time_s", 7200.0),
        ("film_500ms", "integration_ms", 500.0),
        ("film_5uJcm-2", "fluence_uJ_cm2", 5.0),
        ("film_295K", "temperature_K", 295.0),
        ("film_5µJ_cm2", "fluence_uJ_cm2", 5.0),
        ("film_12,5mWcm2_x", "intensity_mW_cm2", 12.5),
    ],
)
def test_numbers_with_units_in_names(tmp_path, name, column, value):
    (row,) = proposed(tmp_path, [f"{name}.txt"], "photoluminescence", lambda p: Content("pl"))
    assert row.settings == {column: value} and row.sample.startswith("film")


@pytest.mark.parametrize(
    "name, sample, settings",
    [
        ("aspirin-1h", "aspirin", {}),
        ("aspirin_1H", "aspirin", {}),
        ("aspirin-13C-1h", "aspirin-13C", {}),
        ("aspirin_2h", "aspirin", {"time_s": 7200.0}),
        ("aspirin-30min-1h", "aspirin", {"time_s": 1800.0}),
    ],
)
def test_a_nucleus_in_a_name_is_no_time(tmp_path, name, sample, settings):
    (row,) = proposed(tmp_path, [f"{name}.dx"], "nmr", lambda p: Content("1h"))
    assert (row.sample, row.settings) == (sample, settings)


def test_before_and_after_are_states_and_an_energy_is_no_fluence(tmp_path):
    sheet = proposed(tmp_path, ["neat_before.txt", "neat_after.txt", "EG_5uJ.txt"],
                     "transient_absorption", lambda p: Content("ta"))  # fmt: skip
    assert cells(sheet, "sample", "state") == [("EG", ""), ("neat", "after"), ("neat", "before")]
    assert sheet.rows[0].free == {"x_uJ": "5"} and not sheet.rows[0].settings


def test_a_share_a_length_or_a_concentration_belongs_to_the_sample(tmp_path):
    names = ["film_5%", "film_10%", "film_20nm", "film_3mM", "film_100C"]
    sheet = proposed(tmp_path, [f"{name}.txt" for name in names], "photoluminescence",
                     lambda p: Content("pl"))  # fmt: skip
    assert {row.sample for row in sheet} == set(names) and not any(row.doubt for row in sheet)


def test_what_no_reader_knows_is_listed_with_its_reason(tmp_path):
    sheet = proposed(tmp_path, ["a.csv", "b.bin", "c.unknown"])
    assert [row.file for row in sheet] == ["a.csv"]
    reasons = {u.file: u.reason for u in sheet.unlisted}
    assert "expected a known format" in reasons["b.bin"] and ".unknown" in reasons["c.unknown"]


@pytest.mark.parametrize("name, kind, role", [
    ("irfDNV01", "trpl", "irf"), ("IRF532nm", "trpl", "irf"), ("DNVirf", "trpl", "irf"),
    ("darkFilm", "pl", "dark"), ("dark-2", "pl", "dark"), ("refBlank", "plqy", "blank"),
    ("dirfiles", "trpl", ""), ("darkroom", "pl", ""), ("Again", "plqy", ""),
    ("background_free_film", "pl", ""), ("backgroundFree", "pl", ""), ("dark_sub", "pl", ""),
])  # fmt: skip
def test_a_role_is_a_word_that_ends_where_the_case_or_the_kind_of_character_does(name, kind, role):
    assert propose.role_in(name, kind, schema.columns("photoluminescence")) == role


def test_copies_of_a_file_count_once(tmp_path):
    """What differs in a byte, serves others, or was taken otherwise, is no copy."""
    names = ["film.txt", "film copy.txt", "other.txt", "dark.txt", "b/film.txt", "film_5min.txt"]
    folder(tmp_path, files=names)
    for name in names[:2] + names[3:]:
        (tmp_path / name).write_text("1 2")
    kind = Content("pl")
    sheet = read_sheet(tmp_path, "photoluminescence", sniff=lambda p: kind if p.is_file() else None)
    assert {row.file for row in sheet} == {*names} - {"film copy.txt"}
    (said,) = [str(one) for one in sheet.unlisted]
    assert said == "film copy.txt: bit for bit the same as film.txt, which is counted"
    (tmp_path / "dark.txt").unlink()
    for lines, kept in (
        ("{sample},pl,{sample}.txt", {"film.txt"}),
        ("a,pl,film.txt\nb,pl,film copy.txt", {"film.txt", "film copy.txt"}),  # two, if one says so
    ):
        (tmp_path / "samples.csv").write_text(f"sample,measurement,file\n{lines}\n")
        rows = read_sheet(tmp_path, "photoluminescence").rows
        assert {row.file for row in rows} & {"film.txt", "film copy.txt"} == kept


@pytest.mark.parametrize("part, sample, bias", [
    ("P1 2.50 V", "P1", "2.50"), ("2.5V_P1", "P1", "2.5"), ("A1-3.0V", "A1", "3.0"),
    ("pixel 1 3 V", "pixel 1", "3"), ("P1, 250 mV", "P1", "0.25"), ("P1 (3 V)", "P1", "3"),
    ("device 2 V", "device", "2"), ("P1 3 V2", "P1 3 V2", None), ("3 V", "b", "3"),
    ("1 3 V", "1", "3"),
])  # fmt: skip
def test_a_part_that_says_where_it_was_taken_is_of_the_sample_it_names(part, sample, bias):
    columns = schema.columns("led")
    found, _ = propose.explicit({"b.csv": Content("el", (part, "x"))}, columns, "lab")
    assert (found["part"], found.get("bias_V")) == (part, bias)
    assert found["sample"].removeprefix("b ") == sample


def test_a_word_in_its_name_is_no_role_of_a_file_of_several(tmp_path):
    def sniff(path):
        return (
            Content("el_series", ("0 V", "3 V"), "bias_V")
            if "series" in path.name
            else Content("el")
        )

    rows = {
        row.file: row
        for row in proposed(tmp_path, ["series_with_dark.txt", "dark.txt"], sniff=sniff)
    }
    assert rows["series_with_dark.txt"].role == "sample" and rows["series_with_dark.txt"].sample
    assert rows["dark.txt"].role == "dark"


def test_the_proposal_goes_to_the_results_and_reads_back_as_it_was(tmp_path):
    data = tmp_path / "data"
    sheet = proposed(data, ["é1.csv", "é1_3,0V.txt", "é1_4,0V.txt", "odd, name.log", "é2.csv"])
    for place in (data, data / "results"):
        with pytest.raises(SheetError, match="outside the data"):
            sheet.write_proposal(place)
    path = sheet.write_proposal(tmp_path / "results")
    again = read_sheet(data, "led", samples=path)
    assert again.digest == sheet.digest and not again.messages
    assert not {p.name for p in data.iterdir()} & {"results", "samples.proposed.csv"}
    confirmed = path.read_text("utf-8-sig").replace(",yes", ",")
    (data / "samples.csv").write_text(confirmed, encoding="utf-8")
    assert not any(row.doubt for row in read_sheet(data, "led"))


# ---- holdings ----------------------------------------------------------------------------------


def reader(path, row):
    if row.sample == "damaged":
        raise FormatError(path, expected="numbers", found="none")
    if row.sample == "odd":
        raise ZeroDivisionError
    return path.read_text() + str(row.settings.get("area_cm2", ""))


def test_nothing_of_one_file_stops_another(tmp_path):
    sheet = read(
        tmp_path,
        "sample,measurement,file,role,group,area_cm2\ngood,el,a.csv,,g,0.1\n"
        "damaged,el,b.csv,,g,\n"
        "odd,el,c.csv,,,\n,el,d.csv,dark,,\nlost,el,e.csv,,,\ngood,jvl,f.csv,,,\n,,z,ignore,,\n",
        ["a.csv", "b.csv", "c.csv", "d.csv", "f.csv", "x.csv", "z"],
    )
    held = Holdings(sheet, {"el": reader})
    assert [h.data for h in held] == ["a.csv0.1", "d.csv"] and len(held) == 2
    reasons = {row.file: reason for row, reason in held.problems}
    assert set(reasons) == {"b.csv", "c.csv", "e.csv", "f.csv"}
    assert "expected numbers" in reasons["b.csv"] and reasons["c.csv"] == "ZeroDivisionError"
    assert "expected one of el" in reasons["f.csv"]
    (good,) = held.select(sample="good")
    assert held.companion(good.row, "dark").data == "d.csv"
    assert {k: len(v) for k, v in held.by("group").items()} == {"g": 1, "": 1}
    assert [h.row.sample for h in held.by("sample", role="sample")["good"]] == ["good"]
    for text in (repr(held), held._repr_html_()):
        assert all(word in text for word in ("read", "set aside", "not in the sheet", "x.csv"))
        assert "<script" not in text


def test_digests_are_of_the_bytes_read(tmp_path):
    files = ["1/acqus", "1/fid", "2/acqus", "2/fid"]
    sheet = read(tmp_path, "measurement,file\n1h,{sample}\n", files, "nmr")

    def digests():
        return [
            h.digest for h in Holdings(sheet, {"1h": lambda path, row: len(list(path.iterdir()))})
        ]

    one, two = before = digests()
    assert one.startswith("sha256:") and one != two
    (tmp_path / "2" / "fid").write_text("changed")
    assert digests()[0] == before[0] and digests()[1] != before[1]


# ---- the schema and its page -------------------------------------------------------------------


def test_the_schema_is_a_frictionless_table_schema():
    found = Schema.from_descriptor(schema.load())
    assert set(found.field_names) == set(schema.columns())
    for column in schema.columns().values():
        assert column.description and set(column.topics) <= {"*", *schema.topics()}
        assert column.kind != "number" or column.unit, f"{column.name}: a number without unit"


def code_of(*folders):
    paths = (p for f in folders for p in (ROOT / "lib" / "peled" / f).rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_every_column_is_read_by_what_it_is_for():
    """What is common to all topics by the corridor, others by each of their topics or the corridor;
    where a measurement was taken (`Column.where`) stands in the labels of all rows."""
    corridor = code_of("samples", "conditioning", "report", "campaign", "lab")
    rooms = {topic: corridor + code_of(topic) for topic in schema.topics()} | {"*": corridor}
    unread = [
        (name, topic)
        for name, column in schema.columns().items()
        for topic in column.topics
        if not column.where
        and not re.search(rf"""["']{name}["']""", rooms[topic])
        and not (topic == "*" and re.search(rf"row\.{name}\b", corridor))
    ]
    assert not unread


def test_the_page_is_up_to_date():
    page = (ROOT / "docs" / "samples.md").read_text(encoding="utf-8")
    assert page == schema.document(), "run python -m peled.samples > docs/samples.md"


def test_the_example_on_the_page_does_what_the_page_says(tmp_path):
    text = schema.document().split("```")[1].strip()
    sheet = read(tmp_path, text, ["d1.csv", "d1_3.0V.txt", "dark.txt"])
    assert not sheet.messages and not [row for row in sheet if row.problems]
    assert sheet.select(measurement="jvl")[0].settings == {"area_cm2": 0.045}
    (el,) = sheet.select(measurement="el", role="sample")
    assert el.settings == {"bias_V": 3.0} and sheet.companion(el, "dark").file == "dark.txt"


def test_parts_without_a_name_of_their_own_are_named_after_their_file(tmp_path):
    """Files of two curves each hold four samples, not two that were measured twice."""
    where = folder(tmp_path, None, ["low.sdt", "high.sdt", "table.csv"])
    kinds = {".sdt": Content("trpl", ("decay 1", "curve 2")), ".csv": Content("trpl", ("A1", "B"))}
    sheet = read_sheet(where, "photoluminescence", sniff=lambda p: kinds.get(p.suffix))
    names = {row.sample for row in sheet.rows}
    curves = {f"{n} {of}" for n in ("low", "high") for of in ("decay 1", "curve 2")}
    assert names == curves | {"A1", "B"}
