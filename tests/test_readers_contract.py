"""Every reader against damage of every kind (`mutants`), and the failures once found, as ordinary
tests.

`make fuzz` does the same with a thousand mutants a reader.
"""

import ast
import gzip
import io
import os
import re
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import mutants
from peled.formats import FormatError, limits, read_json, read_text, read_yaml
from peled.formats.atomistic import read_calculation, read_numbers, read_structure
from peled.formats.contract import READERS, allow, arrays, reader, sheets
from peled.formats.nmr import read_bruker, read_varian
from peled.formats.sweeps import read_sweeps
from peled.formats.tas import read_tas
from peled.formats.tcspc import read_histogram
from peled.formats.vamas import read_vamas
from peled.optics.indices import read_index
from peled.structure.reading import read_lead
from test_formats_nmr import bruker, decay, varian

SEEDS, LARGER = mutants.seeds(), mutants.larger_seeds()
FORMATS = Path(__file__).parent / "formats"
FAILING = Path(
    os.environ.get("PELED_FAILING", Path(__file__).resolve().parents[2] / "shared" / "failing")
)


# ---- all readers, all kinds ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name.replace(" ", ":"))
def test_damage_of_every_kind_gets_what_it_is_owed(seed, tmp_path):
    complaints = [
        f"{kind}: {wrong}"
        for kind in mutants.KINDS
        if (wrong := mutants.judge(seed, kind, mutants.generator(seed, kind, 0), tmp_path)[1])
    ]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("seed", LARGER, ids=lambda seed: seed.name.replace(" ", ":"))
def test_damage_of_larger_files(seed, tmp_path):
    """Measured files and bundled ones, a fifth of the kinds each."""
    complaints = [
        f"{kind}: {wrong}"
        for kind in list(mutants.KINDS)[LARGER.index(seed) % 5 :: 5]
        if (wrong := mutants.judge(seed, kind, mutants.generator(seed, kind, 0), tmp_path)[1])
    ]
    assert not complaints, "\n".join(complaints)


def test_every_public_reader_is_marked_and_tried(root):
    """A function `read...` of the formats is in the registry, and each of the registry has a file
    that it is tried on."""
    folder = root / "lib/peled/formats"
    written = {
        ".".join(("formats", *path.relative_to(folder).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        + f".{node.name}"
        for path in folder.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and re.match(r"read(_|$)", node.name)
    }
    # Bytes, text and parts of files for the readers themselves; a list of paths, each of which a
    # reader reads.
    inner = {"read_bytes", "read_json", "read_text", "read_yaml"}
    inner |= {"sweeps.columns.read_tables", "delimited.read_workbook", "delimited.read_records"}
    inner |= {"delimited.read_tables", "jcampdx.read_table"}
    assert written - {f"formats.{name}" for name in inner} <= set(READERS)
    # Those that differ from a tried one in what they return only, or read what is not an
    # instrument's.
    twins = {
        "formats.atomistic.outputs.read_calculations",
        "formats.delimited.read_table",
        "formats.diffraction.read_pattern",
        "formats.jcampdx.read_blocks",
        "formats.nmr.bruker.read_bruker_parameters",
        "formats.nmr.bruker.read_bruker_processed",
        "formats.nmr.varian.read_varian",
        "formats.sphere.read_runs",
        "formats.vamas.is_vamas",
        "energetics.outputs.read_table",
        "structure.reading.read_assignments",
        "structure.reading.read_truth",
    }
    assert set(READERS) - {seed.reader for seed in SEEDS} == twins


def test_every_format_says_where_it_was_tried():
    """In the docstring of the reader, of its module, or of the package that shows it: on which
    files that were not written here, or that there were none."""
    mutants.import_readers()
    for name, entry in READERS.items():
        module = sys.modules[entry.function.__module__]
        if not name.startswith(("formats.", "optics.")):
            continue  # tables of one's own
        package = sys.modules[module.__package__]
        said = " ".join(part.__doc__ or "" for part in (entry.function, module, package))
        assert re.search(r"[Tt]ried on", said), name


def test_the_list_of_formats_is_complete():
    """Every file beside the list stands in it, and is read."""
    listed = {seed.path.name for seed in SEEDS if seed.path.parent == FORMATS}
    assert {path.name for path in FORMATS.iterdir()} - {"README.md"} == listed
    for seed in SEEDS:
        assert len(list(mutants.numbers(seed.read(seed.path)))) > 0, seed.name


# ---- the wrapper ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ValueError("could not convert string to float: 'O.5x'"),
        TypeError("nothing"),
        KeyError("name"),
        OverflowError("too large"),
        MemoryError(),
        RecursionError("deep"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        ZeroDivisionError("division by zero"),
        zipfile.BadZipFile("no zip"),
        IsADirectoryError(21, "Is a directory", "/somebody/elses/folder"),
        OSError("an array of size", 7),
        AssertionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_parser_raises_leaves_as_format_error(tmp_path, error, monkeypatch):
    monkeypatch.setattr("peled.formats.contract.READERS", {})

    @reader("a made-up file")
    def read_made_up(path):
        raise error

    path = tmp_path / "a.txt"
    path.write_text("1\n2 O.5x\n3\n")
    with pytest.raises(FormatError) as caught:
        read_made_up(path)
    assert "a.txt" in str(caught.value) and "a made-up file" in str(caught.value)
    assert caught.value.advice and caught.value.__cause__ is error
    assert "somebody" not in str(caught.value)
    assert caught.value.place == (
        "line 2" if isinstance(error, ValueError) and "O.5x" in str(error) else ""
    )


def test_a_wrong_call_is_not_the_files_fault(tmp_path):
    write = tmp_path / "a.csv"
    write.write_bytes((FORMATS / "ta_surface_xplorer.csv").read_bytes())
    with pytest.raises(TypeError, match="colour"):
        read_tas(write, colour="red")
    with pytest.raises(ValueError, match="delay_unit: expected one of") as caught:
        read_tas(write, delay_unit="weeks")
    assert not isinstance(caught.value, FormatError)


def test_only_named_fields_may_hold_nan_and_none_infinity(tmp_path, monkeypatch):
    monkeypatch.setattr("peled.formats.contract.READERS", {})

    @reader("numbers", missing=("light",))
    def read_numbers(path, light=1.0, other=1.0):
        return ({"light": np.array([1.0, light]), "name": "x"}, [np.array([2.0, other])])

    path = tmp_path / "a.txt"
    path.write_text("x")
    read_numbers(path, light=np.nan)
    for values in ({"light": np.inf}, {"other": np.nan}, {"other": -np.inf}):
        with pytest.raises(FormatError, match="finite numbers"):
            read_numbers(path, **values)


# ---- budgets -------------------------------------------------------------------------------------


def _peak_MB(call) -> float:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            call()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    big = bytes(80 * 2**20)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(big, 1))
    with pytest.raises(FormatError, match=r"at most 64 MB, found more when unpacked; .*limits"):
        read_text(tmp_path / "a.txt.gz")
    (tmp_path / "members.txt.gz").write_bytes(gzip.compress(big[: 2**20], 1) * 80)
    with limits(unpacked=8 * 2**20):
        assert _peak_MB(lambda: read_text(tmp_path / "a.txt.gz")) < 20
        assert _peak_MB(lambda: read_text(tmp_path / "members.txt.gz")) < 20
    for name, member, read in (
        ("a.npz", "delay_ps.npy", read_tas),
        ("a.xlsx", "xl/worksheets/sheet1.xml", read_sweeps),
        (
            "a.brml",
            "Experiment0/RawData0.xml",
            READERS["formats.diffraction.read_patterns"].function,
        ),
    ):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr(member, big)
        assert _peak_MB(lambda name=name, read=read: read(tmp_path / name)) < 20
    with limits(unpacked=2**30):
        assert allow(tmp_path / "a.npz", 500 * 2**20, "numbers")


def test_gzip_of_several_members_is_one_text(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"1 2\n") + gzip.compress(b"3 4\n") + bytes(512))
    assert read_text(path) == "1 2\n3 4\n"
    path.write_bytes(path.read_bytes()[:-520])
    with pytest.raises(FormatError, match="damaged gzip"):
        read_text(path)


def test_an_npz_member_is_as_large_as_it_is_and_not_as_it_says(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    )
    for name, content in (("huge", stream.getvalue() + bytes(80)), ("text", b"no array")):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as out:
            out.writestr(f"{name}.npy", content)
        with pytest.raises(FormatError, match=f"member {name}.npy"):
            arrays(tmp_path / "a.npz")


def _workbook(path, *cells):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (("Voltage (V)", "J (mA/cm2)"), *((0.1 * i, 0.01 * i * i) for i in range(30))):
        book.active.append(row)
    for place, value in cells:
        book.active[place] = value
    book.save(path)
    return path


def test_a_stray_cell_far_out_costs_nothing(tmp_path):
    path = _workbook(tmp_path / "a.xlsx", ("XFD1048576", "x"))
    with mutants.deadline(), pytest.raises(FormatError, match=r"row 1048576.*since row 31.*stray"):
        read_sweeps(path)
    _workbook(path, ("XFD7", "x"))
    with mutants.deadline():
        assert len(read_sweeps(path)[0].voltage_V) == 30
    with limits(cells=51), pytest.raises(FormatError, match=r"row 26.*at most 51 cells.*stray"):
        sheets(_workbook(path))
    assert sheets(_workbook(tmp_path / "b.xlsx"))[0][1][1] == (0.0, 0.0)


def test_yaml_that_unfolds_without_end(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    with pytest.raises(FormatError, match=r"line 2: .*alias \*a"):
        read_yaml(path)
    path.write_text("[" * 5000)
    with pytest.raises(FormatError):
        read_yaml(path)


def test_json_is_finite_and_ends(tmp_path):
    path = tmp_path / "a.json"
    for text, said in (
        ('{"energy_eV": NaN}', "expected finite numbers, found NaN"),
        ('{\n"energy_eV": ', "line 2: "),
        ("[" * 100_000, r"a\.json"),
        ('{"energy_eV": "-1"}', "energy_eV: expected a finite number, found no numbers"),
        ("[1]", "a JSON object"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=said):
            read_numbers(path, ("energy_eV",))
    path.write_text('{"energy_eV": -1.5, "converged": true, "d3": {"bj": 2}, "symbols": ["H"]}')
    assert read_numbers(path, ("energy_eV",)) == {"energy_eV": -1.5, "d3/bj": 2.0}
    assert read_json(path)["symbols"] == ["H"]


def test_zeros_that_pad_a_line_are_no_binary_content(tmp_path):
    path = tmp_path / "a.ttt"
    path.write_bytes(b"name: 0804016U1" + bytes(55) + b"\r\n1 2\r\n")
    assert read_text(path) == "name: 0804016U1\n1 2\n"
    path.write_bytes(b"name: 0804016U1" + bytes(55) + b"x\r\n1 2\r\n")
    with pytest.raises(FormatError, match="binary content"):
        read_text(path)


def test_zeros_without_end_are_refused_at_once(tmp_path):
    """As they stand in HDF5; looked at from each of them, a megabyte took an hour."""
    path = tmp_path / "a.emd"
    path.write_bytes(bytes(1 << 20))
    start = time.process_time()
    with pytest.raises(FormatError, match="binary content"):
        read_text(path)
    assert time.process_time() - start < 1


# ---- found failures ------------------------------------------------------------------------------


def _changed(tmp_path, name, *changes):
    text = (FORMATS / name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("read", "name", "old", "new"),
    [
        (read_calculation, "pw.xml", "<ecutwfc>12.5<", "<ecutwfc>much<"),
        (read_calculation, "pw.xml", "<a1>10 0 0<", "<a1>10 0 O<"),
        (read_calculation, "vasprun.xml", "-5.0</i>", "five</i>"),
        (read_calculation, "vasprun.xml", '"NELM">60<', '"NELM">some<'),
        (read_calculation, "vasprun.xml", "<v>0.5 0 0<", "<v>0.5 O 0<"),
        (
            read_calculation,
            "OUTCAR",
            "ions per type =               1   3",
            "ions per type = 1 999999999999",
        ),
        (read_structure, "POSCAR", "1 2\n", "1 999999999\n"),
        (read_vamas, "xps_regular.vms", "\nNORM\n", "\nNORM\nx\n"),
        (read_histogram, "trpl_horiba.txt", "5.0E-10 sec/ch", "1.2.3 ns"),
        (read_histogram, "trpl_picoharp.dat", "#ns/channel\n0.5", "#ns/channel\n1e400"),
        (
            READERS["formats.sphere.read_calibration"].function,
            "sphere_calibration.csv",
            "0.015",
            "much",
        ),
        (
            READERS["formats.diffraction.read_patterns"].function,
            "xrd.xrdml",
            "<startPosition>10<",
            "<startPosition>1O<",
        ),
        (
            READERS["formats.diffraction.read_patterns"].function,
            "xrd.xrdml",
            'version="1.0"',
            'version="1.0" encoding="made-up"',
        ),
        (
            READERS["formats.nmr.jcamp.read_jcamp"].function,
            "nmr_affn.dx",
            "NPOINTS= 200",
            "NPOINTS= 1e999",
        ),
        (
            READERS["formats.infrared.read_infrared"].function,
            "ftir_difdup.jdx",
            "##END",
            "600.0A1S999999999\n##END",
        ),
        (
            # "?" is what the standard writes for an ordinate that was not measured
            READERS["formats.infrared.read_infrared"].function,
            "ftir_affn.jdx",
            "4000.0 10000",
            "4000.0 ?",
        ),
    ],
)
def test_text_where_a_number_belongs(tmp_path, read, name, old, new):
    with pytest.raises(FormatError, match=name):
        read(_changed(tmp_path, name, (old, new)))


def test_counts_of_vamas_that_no_file_can_hold(tmp_path):
    lines = (FORMATS / "xps_regular.vms").read_text(encoding="utf-8").split("\n")
    for value in ("inf", "1e400", "nan", "99999999999", "-7", "1_0"):
        for at in (5, lines.index("NORM") + 2):
            changed = list(lines)
            changed[at] = value
            path = tmp_path / "a.vms"
            path.write_text("\n".join(changed))
            with pytest.raises(FormatError, match="line"):
                read_vamas(path)


def test_what_vamas_calls_not_known_is_no_count(tmp_path):
    lines = (FORMATS / "xps_regular.vms").read_text(encoding="utf-8").split("\n")
    at = max(i for i, line in enumerate(lines) if re.fullmatch(r"\d+(\.\d+)?", line.strip()))
    lines[at] = "1E+37"
    path = tmp_path / "a.vms"
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError, match=f"line {at + 1}: expected an ordinate.*not known"):
        read_vamas(path)


def test_parameters_of_bruker_that_are_no_numbers(tmp_path):
    for i, (name, value) in enumerate(
        (("NS", "many"), ("BF1", "0"), ("TD", "inf"), ("SW_h", "1e400"), ("DTYPA", "x"))
    ):
        folder = bruker(tmp_path / str(i))
        text = (folder / "acqus").read_text()
        lines = [
            f"##${name}= {value}" if f"${name}=" in line else line for line in text.split("\n")
        ]
        (folder / "acqus").write_text("\n".join(lines).replace("##$SW=", "##$no="))
        with pytest.raises(FormatError, match=name):
            read_bruker(folder)
    folder = bruker(tmp_path / "list")
    for bad in ("1.2.3u", "2 hours", "--1", "1e400"):
        (folder / "vplist").write_text(f"100u\n{bad}\n")
        with pytest.raises(FormatError, match="vplist, line 2"):
            read_bruker(folder)


def test_counts_of_varian_that_the_file_does_not_hold(tmp_path):
    folder = varian(tmp_path / "a.fid", decay())
    whole = (folder / "fid").read_bytes()
    for at, count in ((28, 10**9), (28, -1), (4, 10**6), (8, 2**30), (20, 0), (0, -1)):
        content = bytearray(whole)
        content[at : at + 4] = int(count).to_bytes(4, "big", signed=True)
        (folder / "fid").write_bytes(content)
        with pytest.raises(FormatError, match="fid, byte"):
            read_varian(folder)


def test_files_of_another_kind_are_named(tmp_path):
    workbook = _workbook(tmp_path / "sweep.xlsx")
    locked = tmp_path / "locked.xlsx"
    locked.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    with pytest.raises(FormatError, match=r"sweep\.xlsx"):
        read_tas(workbook)
    for read in (read_tas, read_sweeps, read_histogram, read_index):
        with pytest.raises(FormatError, match=r"locked\.xlsx"):
            read(locked)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as out:
        out.writestr("delay_ps.npy", b"x" * 300)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[6] |= 1  # encrypted, in both places where a zip says so
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FormatError, match="encrypted"):
        read_tas(tmp_path / "a.npz")


def test_icpms_in_latin_1(tmp_path):
    text = (mutants.ROOT / "data/structure/icpms.csv").read_text(encoding="utf-8")
    path = tmp_path / "icpms.csv"
    path.write_bytes(text.replace("supernatant", "Überstand").encode("latin-1"))
    assert "Überstand" in read_lead(path)[1]


@pytest.mark.parametrize("mark", ["(", "1", "a=", "1 ", "\n", "\t", " "])
def test_patterns_take_time_in_proportion(tmp_path, mark):
    """Twenty thousand of anything in a row is read or refused in the time of a blink, by every
    reader of text."""
    for seed in SEEDS:
        if seed.text is None or seed.part:
            continue
        lines = seed.text.split("\n")
        lines.insert(min(3, len(lines) - 1), mark * (20_000 // len(mark)) + "x")
        path = tmp_path / seed.path.name
        path.write_text("\n".join(lines), encoding="utf-8")
        with mutants.deadline():
            try:
                seed.read(path)
            except FormatError:
                pass


def _of(name: str):
    """The reader that the name of a kept mutant speaks of: `vamas_read_vamas_bare_...`,
    `diffraction_brml__bare_...`."""
    words = name.partition("_bare_")[0].replace("diffraction", "read_patterns")
    fits = [key for key in READERS if key.rpartition(".")[2] in words]
    best = max(fits, key=lambda key: (len(key.rpartition(".")[2]), key.startswith("formats")))
    return READERS[best].function


@pytest.mark.skipif(not FAILING.is_dir(), reason="the failing files are not here")
def test_mutants_found_before_are_refused_or_read():
    for path in sorted((FAILING / "readers").iterdir()):
        read = _of(path.name)
        try:
            found = read(path)
        except FormatError as error:
            assert error.expected and error.found
        else:
            assert len(list(mutants.numbers(found))) > 0, path.name
