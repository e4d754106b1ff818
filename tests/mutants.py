"""Damaged files, by kind, with what a reader owes to each kind: the fuel of
`test_readers_contract` and of `make fuzz`.

A seed is a whole file (or folder) with the reader that reads it; a kind damages it reproducibly.
What is owed:

same      the same content as from the seed: only the clothing of the text has changed
refused   `FormatError`: this is no such file, or more than any such file may ask for
named     `FormatError` with the line, or a value marked missing and all others as they were
fewer     `FormatError`, or the numbers of the seed less those of the line, and the account says so
prefix    `FormatError`, or no numbers that were not there
honest    `FormatError`, or finite numbers

Whatever the kind: no other exception, no value that is not finite unless the reader calls it
missing, no line that the account leaves out, and no more than `SECONDS` of work.
"""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import functools
import gzip
import importlib
import io
import os
import pkgutil
import re
import shutil
import signal
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

import peled.formats
from peled.formats import limits
from peled.formats.contract import READERS, FormatError

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 2.0
LIMIT = 2**20  # bytes that the readers may unpack here; the bombs hold a third more


# ---- seeds ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Seed:
    """A file or folder that `reader` reads with `settings`; `part` is the file that is damaged, ""
    for the path itself."""

    path: Path
    reader: str
    settings: Mapping[str, float]
    part: str = ""

    @property
    def name(self) -> str:
        return f"{self.reader} {self.path.name}" + (f"/{self.part}" if self.part else "")

    @functools.cached_property
    def content(self) -> bytes:
        return (self.path / self.part if self.part else self.path).read_bytes()

    @functools.cached_property
    def text(self) -> str | None:
        """The content as text, None for binary and packed files."""
        if b"\0" in self.content or self.content[:2] == b"\x1f\x8b":
            return None
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return self.content.decode("latin-1")

    @functools.cached_property
    def delimiter(self) -> str | None:
        """What separates the cells of a plain table, None for anything else."""
        if self.text is None or self.path.suffix not in (".csv", ".txt", ".sia", ".dpt", ".dat"):
            return None
        counts = {mark: self.text.count(mark) for mark in "\t;,"}
        best = next((mark for mark in "\t;," if counts[mark] > 0.5 * self.text.count("\n")), None)
        return best

    @functools.cached_property
    def rows(self) -> list[int]:
        """The lines that hold data: the longest run of lines of as many numeric cells."""
        best: list[int] = []
        run: list[int] = []
        width = 0
        for i, line in enumerate((self.text or "").split("\n")):
            cells = (
                line.strip().strip(",;").replace(",", ".")
                if self.delimiter in ("\t", ";")
                else line
            )
            cells = re.split(
                rf"\s*{re.escape(self.delimiter)}\s*" if self.delimiter else r"[\s,;]+",
                cells.strip(),
            )
            numbers = sum(
                bool(re.fullmatch(r"[+-]?\d*\.?\d+([eE][+-]?\d+)?", cell)) for cell in cells
            )
            if numbers != width or not numbers:
                run, width = [], numbers
            if numbers:
                run.append(i)
            if len(run) > len(best):
                best = list(run)
        return best if len(best) > 2 else []

    def read(self, path: Path):
        with warnings.catch_warnings(), np.errstate(all="ignore"), limits(unpacked=LIMIT):
            warnings.simplefilter("ignore")
            return READERS[self.reader].function(path, **self.settings)


_FOLDERS = {"formats.nmr.read": ("acqus", "fid", "pdata/1/procs", "procpar")}
_FOLDERS["formats.nmr.bruker.read_bruker"] = ("acqus", "ser", "vplist", "pdata/1/procs")
_FOLDERS["formats.nmr.diffusion.read_gradients"] = ("difflist", "pdata/1/dosy")
_FOLDERS["formats.tas.read_tas"] = ("matrix.txt", "delay_ps.txt", "wavelength_nm.txt")
_FOLDERS["formats.sphere.read_sphere"] = ("direct.txt",)
#: Readers of bundled files that are no instrument's, and have no file of their own among the
#: formats.
_BUNDLED = {
    "synthesis.procedure.load_procedure": "data/synthesis/procedure.yaml",
    "led.ceiling.read_stack": "data/led/device.yaml",
    "formats.atomistic.records.read_numbers": "data/energetics/lead/dispersion.json",
    "energetics.affinity.constants": "data/energetics/stability.yaml",
    "structure.reading.read_lead": "data/structure/icpms.csv",
    "molecules.read_molecules": "data/synthesis/molecules.json",
    "nmr.series.read_resonances": "data/nmr/resonances.csv",
    "nmr.assignment.read_references": "lib/peled/tables/nmr/shifts.csv",
    "photoluminescence.reading.read_truth": "data/photoluminescence/truth.csv",
}


#: Larger files: of this repository, and measured ones that lie beside it, where they do.
_LARGER = {
    "formats.confocal.read_stack": ("data/photoluminescence/confocal_neat_film.tif",),
    "formats.diffraction.read_patterns": (
        "data/structure/xrd_neat.xrdml",
        "shared/samples/xrd/perovskite_films.csv",
        "shared/failing/nmr_structure/mini.rasx",
        "shared/failing/nmr_structure/multi.brml",
    ),
    "formats.infrared.read_infrared": (
        "data/structure/ftir_OA.dpt",
        "shared/failing/nmr_structure/ir_blank_before_END.jdx",
    ),
    "formats.nmr.jcamp.read_jcamp": (
        "shared/samples/nmr/aspirin_jcamp/1h.dx",
        "shared/failing/nmr_structure/sqz_lone_E.jdx",
    ),
    "formats.spectra.read_each": (
        "data/led/spectra/fig3_EG_time.csv",
        "data/photoluminescence/absorption_solution.csv",
        "data/photoluminescence/segregation_single.txt",
        "shared/failing/light/quoted.csv",
        "shared/failing/light/el_series_with_dark.txt",
        "shared/samples/tauc/spectrum_1.txt",
    ),
    "formats.sphere.read_sphere": ("data/photoluminescence/sphere_EG.csv",),
    "formats.sweeps.jvl.read_sweeps": (
        "data/led/sweeps/fig3_neat.csv",
        "data/led/sweeps/ed5_GL.tsv",
        "data/led/sweeps/ed7_OA.xlsx",
        "shared/failing/light/lab/A_flat/third_d3.xlsx",
        "shared/failing/light/lab/A_flat/treated_d2.txt",
    ),
    "formats.tas.read_tas": (
        "data/transient_absorption/fluence_00.5_pairs.ufs",
        "data/transient_absorption/EG_before_scans.npz",
        "shared/failing/tas/comma_time_explicit.txt",
        "shared/failing/tas/short_14_delays.csv",
    ),
    "formats.tcspc.read_histogram": (
        "data/photoluminescence/trpl_film.phu",
        "data/photoluminescence/trpl_hole_transport.txt",
    ),
    "formats.tcspc.read_histograms": ("shared/failing/light/irf_own_axis.csv",),
    "formats.vamas.read_vamas": (
        "data/structure/xps.vms",
        "shared/samples/xps/FeO_analyzed.vms",
    ),
    "optics.indices.read_index": ("shared/samples/refractive_index/CH3NH3PbI3_Ball.yml",),
}


def larger_seeds() -> list[Seed]:
    """The larger files that are there and are read; what lies beside the repository may be named
    by PELED_SAMPLES."""
    import_readers()
    shared = Path(os.environ.get("PELED_SAMPLES", ROOT.parent / "shared" / "samples")).parent
    found = []
    for reader, paths in _LARGER.items():
        for name in paths:
            folder, _, rest = name.partition("/")
            path = (ROOT / "data" if folder == "data" else shared) / rest
            if path.is_file():
                found.append(Seed(path, reader, {}))
    return found


def import_readers() -> None:
    """Import every module that has readers, which fills the registry."""
    for module in pkgutil.walk_packages(peled.formats.__path__, "peled.formats."):
        importlib.import_module(module.name)
    for name in (*_BUNDLED, "optics.indices.read_index", "energetics.outputs.read_table"):
        importlib.import_module("peled." + name.rpartition(".")[0])


def seeds() -> list[Seed]:
    """The files of `tests/formats`, by its README, and the bundled ones."""
    import_readers()
    found = []
    for line in (ROOT / "tests/formats/README.md").read_text(encoding="utf-8").split("\n"):
        if match := re.match(r"\| `(.+?)` \| `([\w.]+)(?:\((.*?)\))?` \|", line):
            settings = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", match[3] or "")}
            path = ROOT / "tests/formats" / match[1]
            parts = _FOLDERS[match[2]] if path.is_dir() else ("",)
            found += [
                Seed(path, match[2], settings, part)
                for part in parts
                if not part or (path / part).is_file()
            ]
    found += [Seed(ROOT / path, name, {}) for name, path in _BUNDLED.items()]
    return found


# ---- kinds of damage -----------------------------------------------------------------------------


class NotApplicable(Exception):
    """This kind of damage cannot be done to this seed."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """What stands in place of the seed's content (None: a folder), and the line (from 1) that was
    damaged."""

    content: bytes | None
    line: int | None = None
    columns: int = 0


@dataclasses.dataclass(frozen=True)
class Kind:
    """How a seed is damaged, what its reader owes then, and whether it is another damage each
    time."""

    make: Callable[[Seed, np.random.Generator], Mutant]
    owed: str
    chance: bool


KINDS: dict[str, Kind] = {}


def kind(name: str, owed: str, *, chance: bool = True):
    def add(make):
        KINDS[name] = Kind(make, owed, chance)
        return make

    return add


def _text(seed: Seed) -> str:
    if seed.text is None:
        raise NotApplicable
    return seed.text


def _table(seed: Seed) -> str:
    if seed.delimiter is None or not seed.rows:
        raise NotApplicable
    return _text(seed)


def _line(seed: Seed, rng) -> tuple[list[str], int]:
    lines = _text(seed).split("\n")
    if not seed.rows:
        raise NotApplicable
    return lines, int(rng.choice(seed.rows))


def _joined(lines: list[str], at: int, columns: int = 0) -> Mutant:
    return Mutant("\n".join(lines).encode(), at + 1, columns)


@kind("CRLF", "same", chance=False)
def _crlf(seed, rng):
    return Mutant(_text(seed).replace("\r\n", "\n").replace("\n", "\r\n").encode())


@kind("byte order mark", "same", chance=False)
def _bom(seed, rng):
    if seed.part:
        raise NotApplicable
    return Mutant(b"\xef\xbb\xbf" + _text(seed).encode())


@kind("UTF-16", "same", chance=False)
def _utf16(seed, rng):
    if seed.part or 'encoding="' in _text(seed)[:100]:
        raise NotApplicable
    return Mutant(_text(seed).encode("utf-16"))


@kind("packed", "same", chance=False)
def _packed(seed, rng):
    if seed.part:
        raise NotApplicable
    pack = gzip.compress if rng.random() < 0.5 else bz2.compress
    return Mutant(pack(_text(seed).encode()))


@kind("blank lines at the end", "same", chance=False)
def _blank(seed, rng):
    if seed.part:
        raise NotApplicable
    return Mutant(_text(seed).encode() + b"\n" * int(rng.integers(1, 4)))


@kind("quoted cells", "same", chance=False)
def _quoted(seed, rng):
    mark = seed.delimiter
    lines = _table(seed).split("\n")
    rows = set(seed.rows)
    return Mutant(
        "\n".join(
            mark.join(f'"{cell}"' for cell in line.split(mark)) if i in rows else line
            for i, line in enumerate(lines)
        ).encode()
    )


@kind("decimal comma", "same", chance=False)
def _decimal(seed, rng):
    text = _table(seed)
    if seed.delimiter == "," or not seed.rows or "," in text or not re.search(r"\d\.\d", text):
        raise NotApplicable
    return Mutant(re.sub(r"(?<=\d)\.(?=\d)", ",", text).encode())


@kind("empty", "refused", chance=False)
def _empty(seed, rng):
    return Mutant(b"")


@kind("a folder", "refused", chance=False)
def _folder(seed, rng):
    return Mutant(None)


@kind("wrong magic", "refused")
def _magic(seed, rng):
    if seed.part in ("fid", "ser"):
        raise NotApplicable  # bare numbers: any bytes will do
    first = [
        b"PK\x03\x04",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"%PDF-1.4\n",
        b"\x89PNG\r\n\x1a\n",
        b"\x1f\x8b",
        b"BZh9",
    ]
    return Mutant(first[rng.integers(len(first))] + rng.bytes(3000))


@functools.cache
def _bomb() -> bytes:
    return b"0 0\n" * (LIMIT // 3)


@functools.cache
def _packed_bomb(which: int) -> bytes:
    return (gzip.compress(_bomb(), 1), bz2.compress(_bomb(), 1))[which]


@kind("packed bomb", "refused", chance=False)
def _packed_bombs(seed, rng):
    if seed.part in ("fid", "ser"):
        raise NotApplicable
    return Mutant(_packed_bomb(int(rng.integers(2))))


@kind("zip bomb", "refused", chance=False)
def _zip_bomb(seed, rng):
    if seed.part in ("fid", "ser"):
        raise NotApplicable
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        if seed.content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(seed.content)) as members:
                names = members.namelist()
                bad = max(names, key=lambda n: members.getinfo(n).file_size)
                for name in names:
                    out.writestr(name, members.read(name) if name != bad else _bomb())
        else:
            out.writestr("a.txt", _bomb())
    return Mutant(stream.getvalue())


@kind("a line deleted", "fewer")
def _deleted(seed, rng):
    _table(seed)
    lines, at = _line(seed, rng)
    del lines[at]
    return _joined(lines, at)


def _cell(seed: Seed, rng, change: Callable[[str], str]) -> Mutant:
    _table(seed)
    lines, at = _line(seed, rng)
    cells = lines[at].rstrip("\r").split(seed.delimiter)
    numeric = [j for j, cell in enumerate(cells) if re.search(r"\d", cell)]
    j = int(rng.choice(numeric))
    cells[j] = change(cells[j])
    lines[at] = seed.delimiter.join(cells)
    return _joined(lines, at, len(cells))


@kind("a cell cut", "named")
def _cut_cell(seed, rng):
    return _cell(seed, rng, lambda cell: "")


@kind("a letter in a number", "named")
def _letter(seed, rng):
    return _cell(seed, rng, lambda cell: re.sub(r"\d", "O", cell, count=1))


@kind("nan", "named")
def _nan(seed, rng):
    return _cell(seed, rng, lambda cell: str(rng.choice(["nan", "NaN", "inf", "-inf", "#N/A"])))


@kind("1e400", "named")
def _huge_number(seed, rng):
    return _cell(seed, rng, lambda cell: "1e400" if seed.delimiter == "," else "-1E999")


@kind("cut off", "prefix")
def _cut(seed, rng):
    return Mutant(seed.content[: int(rng.integers(1, len(seed.content)))])


@kind("a line of a listing deleted", "honest")
def _unlisted(seed, rng):
    lines = _text(seed).split("\n")
    at = int(rng.integers(len(lines)))
    del lines[at]
    return _joined(lines, at)


@kind("a line doubled", "honest")
def _doubled(seed, rng):
    lines, at = _line(seed, rng)
    lines.insert(at, lines[at])
    return _joined(lines, at)


@kind("lines swapped", "honest")
def _swapped(seed, rng):
    lines = _text(seed).split("\n")
    a, b = rng.integers(len(lines), size=2)
    lines[a], lines[b] = lines[b], lines[a]
    return _joined(lines, int(a))


@kind("bits flipped", "honest")
def _flipped(seed, rng):
    content = np.frombuffer(seed.content, np.uint8).copy()
    for _ in range(int(rng.integers(1, 6))):
        # Headers are short and everything: half of the flips go there.
        end = content.size if rng.random() < 0.5 else min(content.size, 600)
        content[rng.integers(end)] ^= np.uint8(1 << rng.integers(8))
    return Mutant(content.tobytes())


@kind("bytes replaced", "honest")
def _replaced(seed, rng):
    content = bytearray(seed.content)
    at, count = int(rng.integers(len(content))), int(rng.integers(1, 40))
    content[at : at + count] = rng.bytes(count)
    return Mutant(bytes(content))


@kind("a span lost", "honest")
def _lost(seed, rng):
    a, b = sorted(int(i) for i in rng.integers(len(seed.content), size=2))
    return Mutant(seed.content[:a] + seed.content[b:])


@kind("a span doubled", "honest")
def _span(seed, rng):
    a, b = sorted(int(i) for i in rng.integers(len(seed.content), size=2))
    return Mutant(seed.content[:b] + seed.content[a:b] + seed.content[b:])


_EXTREMES = (
    "999999999999",
    "-1",
    "0",
    "-999999999",
    "1e400",
    "nan",
    "inf",
    "1e308",
    "many",
    "1,5",
    "1.2.3",
    "",
    "٣",
)


@kind("a number in a head", "honest")
def _number(seed, rng):
    text = _text(seed)
    found = list(re.finditer(r"(?<![\w.])[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text))
    if not found:
        raise NotApplicable
    first = found[: max(40, len(found) // 4)] if rng.random() < 0.8 else found
    match = first[rng.integers(len(first))]
    return Mutant(
        (text[: match.start()] + str(rng.choice(_EXTREMES)) + text[match.end() :]).encode()
    )


@kind("a count in a binary head", "honest")
def _count(seed, rng):
    if seed.text is not None:
        raise NotApplicable
    content = bytearray(seed.content)
    size = int(rng.choice([2, 4, 8]))
    at = int(rng.integers(0, max(1, min(len(content), 800) - size)))
    value = [
        b"\xff" * size,
        b"\x7f" + b"\xff" * (size - 1),
        b"\0" * size,
        b"\x80" + b"\0" * (size - 1),
    ][rng.integers(4)]
    content[at : at + size] = value if rng.random() < 0.5 else value[::-1]
    return Mutant(bytes(content))


_RUNS = (
    " ",
    "\t",
    ",",
    "(",
    "1",
    "a",
    "-",
    "1 ",
    "1.",
    "a=",
    "<",
    '"',
    "'",
    ";",
    "a:",
    "e",
    "#",
    "a ",
    "1e",
    "[",
    "/",
    "\n",
    " \n",
    "1;",
)


@kind("a long run in a line", "honest")
def _run(seed, rng):
    lines = _text(seed).split("\n")
    at = (
        int(rng.integers(min(len(lines), 30)))
        if rng.random() < 0.8
        else int(rng.integers(len(lines)))
    )
    run = str(rng.choice(_RUNS)) * 30_000
    where = int(rng.integers(len(lines[at]) + 1))
    lines[at] = lines[at][:where] + run + ("x" if rng.random() < 0.5 else lines[at][where:])
    return _joined(lines, at)


# ---- judging -------------------------------------------------------------------------------------


class TooSlow(BaseException):
    """Past `except Exception` of readers and of their wrapper."""


@contextlib.contextmanager
def deadline() -> Iterator[None]:
    """Stop after `SECONDS` of work where the system can, which Windows cannot."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_):
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def numbers(found) -> Iterator[np.ndarray]:
    """All numbers of a result in order, those of what the file says of itself left out."""
    if isinstance(found, np.ndarray):
        if found.dtype.kind in "fiuc":
            yield found.ravel()
    elif isinstance(found, (int, float, np.number)) and not isinstance(found, bool):
        yield np.array([found], complex)
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            if field.name not in (
                "path",
                "metadata",
                "parameters",
                "account",
                "lines",
            ):
                yield from numbers(getattr(found, field.name))
    elif isinstance(found, Mapping):
        for value in found.values():
            yield from numbers(value)
    elif isinstance(found, (list, tuple)):
        for value in found:
            yield from numbers(value)


def _values(found) -> np.ndarray:
    return np.concatenate([np.zeros(0, complex), *numbers(found)])


@functools.cache
def _expected(seed: Seed) -> tuple[np.ndarray, set]:
    """Numbers and accounts of the whole file."""
    found = seed.read(seed.path)
    return _values(found), _accounts(found)


def place(seed: Seed, mutant: Mutant, folder: Path) -> Path:
    """Put a mutant where the seed's file would be, below `folder`."""
    path = folder / seed.path.name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if seed.part:
        shutil.copytree(seed.path, path)
        (path / seed.part).unlink()
    target = path / seed.part if seed.part else path
    if mutant.content is None:
        target.mkdir()
    else:
        target.write_bytes(mutant.content)
    return path


def generator(seed: Seed, name: str, number: int) -> np.random.Generator:
    """Random numbers that depend on seed, kind and number only."""
    return np.random.default_rng([number, *seed.name.encode(), *name.encode()])


def judge(seed: Seed, name: str, rng: np.random.Generator, folder: Path) -> tuple[str, str]:
    """Damage a seed, read it, and say what came of it (refused, read, not applicable) and what is
    wrong with that, if anything."""
    try:
        mutant = KINDS[name].make(seed, rng)
    except NotApplicable:
        return "not applicable", ""
    path = place(seed, mutant, folder)
    try:
        with deadline():
            found, said = seed.read(path), ""
    except TooSlow:
        return "slow", f"more than {SECONDS} s"
    except FormatError as error:
        found, said = None, str(error)
    except Exception as error:
        return "bare", f"bare {type(error).__name__}: {str(error)[:120]}"
    if found is None:
        return "refused", _judge_refusal(KINDS[name].owed, seed, mutant, said)
    return "read", _judge_account(KINDS[name].owed, seed, found) or _judge_content(
        KINDS[name].owed, seed, mutant, _values(found)
    )


def _accounts(found) -> set:
    """The accounts of lines in a result, which may be a tuple of parts of one file."""
    parts = found if isinstance(found, (tuple, list)) else (found,)
    return {part.account for part in parts if hasattr(part, "account") and part.account.lines}


def _judge_account(owed: str, seed: Seed, found) -> str:
    """Every line that is not blank is head, key, comment or data; one that was deleted is one row
    of data less."""
    before = _expected(seed)[1]
    for account in _accounts(found):
        if sum(account.counts.values()) != account.lines:
            return f"an account of {account.counts} for {account.lines} lines"
        if owed == "fewer" and len(before) == 1:
            gone = len(next(iter(before)).data) - len(account.data)
            if gone != 1:
                return f"{gone} rows fewer by the account"
    return ""


def _judge_refusal(owed: str, seed: Seed, mutant: Mutant, said: str) -> str:
    if owed == "same":
        return f"refused: {said[:160]}"
    if owed == "named" and not re.search(rf"\b(line|row) {mutant.line}\b", said):
        return f"line {mutant.line} is not named: {said[:160]}"
    return (
        "" if Path(seed.part or seed.path).name in said else f"the file is not named: {said[:160]}"
    )


def _judge_content(owed: str, seed: Seed, mutant: Mutant, found: np.ndarray) -> str:
    before = _expected(seed)[0]
    gone = int(np.isnan(found).sum()) - int(np.isnan(before).sum())
    if owed == "refused":
        return f"read as {found.size} numbers"
    if owed == "same" and not (
        found.size == before.size and np.allclose(found, before, equal_nan=True)
    ):
        return f"{found.size} numbers for {before.size}, or others"
    # What no result rests on cannot be missed: with the very numbers of the seed, nothing was made
    # up.
    whole = found.size == before.size and np.array_equal(found, before, equal_nan=True)
    if owed == "named" and not whole and not (found.size == before.size and gone >= 1):
        return (
            f"line {mutant.line} read as if whole: {found.size} numbers for {before.size}, "
            f"{gone} missing"
        )
    if owed == "fewer" and not found.size < before.size:
        return f"{found.size} numbers for {before.size} after line {mutant.line} was deleted"
    if owed == "prefix" and found.size > before.size:
        return f"{found.size} numbers for {before.size}"
    return ""
