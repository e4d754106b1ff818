"""Where there is no sheet: rows proposed from content and, marked as such, from names.

Content says measurement, parts and the axis of a series. From names come the sample (what is left
of a stem), numbers with a unit (`_3.0V`, `-10min`, `_-2V`, `_3,5V`), roles as words that end at a
separator, a digit or a change of case, and the pair before/after. `group` is never proposed. A
number whose unit is that of no column (`_20mA`: a current, not a density) goes into a column of its
own, `x_mA`. Rows that rest on names carry `proposed: yes`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from peled.samples import expand
from peled.samples.expand import WHOLE
from peled.samples.schema import DRIVE, Column
from peled.samples.table import Line

GLUE = "\0"  #: where a name is parted that has no separator there
#: Behind a role: that it is no longer in what was measured (`background_free`, `dark_subtracted`).
TAKEN_OUT = {"free", "corrected", "corr", "subtracted", "sub", "removed"}
FRAMES = 4  #: numbered files at least that a clock makes a series
EVEN = 0.1  #: share of their mean by which steps of a clock may differ in a series
CLOCK = "times by the clock of the files"


@dataclass(frozen=True)
class Content:
    """What a reader saw in a file without analysing it.

    Attributes
    ----------
    measurement : str
        A word of the topic's list.
    parts : tuple of str
        Names of what the file holds side by side; empty for one thing.
    axis : str
        Column in which the parts count (`bias_V`, `time_s`): then they are one series, not several
        samples.
    role : str
        Where the content itself says it (a calibration table).
    kinds : tuple of Content
        What each part is, where they are not of one measurement (sheets of a workbook).
    cells : tuple of (str, str)
        Columns of the sheet that the file itself states, and their cells.
    clock_s : float, optional
        When the file says it was measured, in s; the zero is that of the clock.
    also : tuple of str
        Measurements of which it may be as well, if names say so (a run of a sphere is a spectrum).
    """

    measurement: str
    parts: tuple[str, ...] = ()
    axis: str = ""
    role: str = ""
    kinds: tuple[Content, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    clock_s: float | None = None
    also: tuple[str, ...] = ()

    def of(self, part: str) -> Content:
        """What a part is.

        Parameters
        ----------
        part : str
            One of `parts`.

        Returns
        -------
        Content
            The whole where `kinds` has none for the part.
        """
        return dict(zip(self.parts, self.kinds)).get(part, self)


#: What a topic hands over: path of a file or folder -> its content; None, or any exception,
#: where it is not one of the topic's.
Sniffer = Callable[[Path], Content | None]


@dataclass(frozen=True)
class _Guess:
    """What a name says: cells, and the rest of the stem and of the nearest folder."""

    stem: str
    rest: str
    folder: str
    cells: Mapping[str, str]
    named: bool = True  #: whether stem or folder say a sample

    @property
    def sample(self) -> str:
        return self.rest or self.folder or self.stem


def propose(
    contents: Mapping[str, Content],
    columns: Mapping[str, Column],
    name: str,
    strangers: Sequence[str] = (),
) -> list[Line]:
    """Lines for files of which the content is known.

    Parameters
    ----------
    contents : mapping
        File below the folder, with `/` -> its content.
    columns : mapping
        The topic's columns.
    name : str
        Of the folder itself.
    strangers : sequence of str
        Files that are none of the topic's: no pattern takes them.

    Returns
    -------
    list of Line
        Patterns where at least two files share one and it gives the same rows, else a line a file.
    """
    lines = [Line("proposed", 0, cells) for cells in explicit(contents, columns, name)]
    groups = defaultdict(list)
    for line in lines:
        groups[_general(line.cells, columns)].append(line)
    short = []
    for pattern, members in groups.items():
        one = replace(members[0], cells=dict(pattern))
        alone = len(members) == 1 or expand.claims([one], strangers, columns)
        short += members if alone else [one]
    short = [replace(line, number=i) for i, line in enumerate(short, start=1)]
    want = {(line.cells["file"], line.cells.get("part", "")): dict(line.cells) for line in lines}
    if _expanded(short, contents, columns) == want:
        return short
    return [replace(line, number=i) for i, line in enumerate(lines, start=1)]


def explicit(
    contents: Mapping[str, Content], columns: Mapping[str, Column], name: str
) -> list[dict[str, str]]:
    """The cells of the proposed rows, one row a file or part, without patterns.

    Parameters
    ----------
    contents : mapping
        File below the folder, with `/` -> its content.
    columns : mapping
        The topic's columns by name.
    name : str
        Of the folder itself, where all of it is one measurement.

    Returns
    -------
    list of dict
        Column -> text, in the order of the files' names; `proposed` is "yes" in rows that rest on
        names.
    """
    contents = _clocked(_in_their_roles(contents, columns), columns)
    names = {file: name if file == WHOLE else file for file in contents}
    guesses = {file: _guess(names[file], contents[file], columns, name) for file in contents}
    samples = _joined(guesses, contents)
    rows = []
    for file in sorted(contents):
        rows += _rows(file, contents[file], guesses[file], samples[file], columns)
    files_of = defaultdict(set)
    for _, row in rows:
        files_of[row.get("sample", "")].add(row["file"])
    return [
        row | ({"proposed": "yes"} if named or len(files_of[row.get("sample", "")]) > 1 else {})
        for named, row in rows
    ]


def _guess(file: str, content: Content, columns: Mapping[str, Column], top: str) -> _Guess:
    path = PurePosixPath(file)
    cells: dict[str, str] = dict(content.cells)
    stem = _stem(path.name)
    rest = _left(stem, content.measurement, columns, cells)
    folder = ""
    for name in reversed(path.parts[:-1]):
        said = _left(name, content.measurement, columns, cells)
        folder = folder or said
    if "role" in cells and (content.axis or len(content.parts) > 1):
        # One word cannot be the role of all that a series or a file of several curves holds.
        del cells["role"]
        rest = stem
    named = bool(rest or folder)
    if not named and any(
        name == "role" or columns[name].where for name in cells if name in columns
    ):
        rest = top  # `t=30s` says a place, `direct` a role, and no sample
    return _Guess(stem, rest, folder, cells, named)


def _stem(name: str) -> str:
    """A name without its suffixes (`.txt.gz` is two); a decimal point is none."""
    while found := re.fullmatch(r"(.+)\.(?!\d+[A-Za-z%°µ]*$)[A-Za-z0-9]{1,6}", name):
        name = found[1]
    return re.sub(r"\.(csv|txt|dat|asc|tsv|tif|tiff|00\d)$", "", name, flags=re.IGNORECASE)


def _left(text: str, measurement: str, columns: Mapping[str, Column], cells: dict) -> str:
    """What remains of a name without numbers with units, roles, states, measurements."""
    words = {
        kind: {kind.lower(), *(name.lower() for name in word.names)}
        for kind, word in columns["measurement"].words.items()
    }
    kinds, others = words.get(measurement, set()), set().union(*words.values())
    out, after_role = "", False
    text = re.sub(r"(?<=\d[munµμ][AJW])[_ ](?=cm-?2)", "", text)  # `5uJ_cm2` is one number
    roles = columns["measurement"].words[measurement].roles if measurement in words else {}
    glued = [w for w, (_, role) in _words(columns, measurement, set()).items() if role in roles]
    text = re.sub(r"[A-Za-z]+", lambda m: _parted(m[0], glued), text)
    text = re.sub(rf"(?<![A-Za-z\d]){GLUE}|{GLUE}(?!-?[A-Za-z\d])", "", text)
    pieces = re.split(rf"([_\s]+|(?<=\w)-(?=[A-Za-z])|{GLUE})", text)
    said = _words(columns, measurement, {piece.lower() for piece in pieces})
    for separator, token, after in zip(["", *pieces[1::2]], pieces[::2], [*pieces[2::2], ""]):
        separator = separator.strip(GLUE)
        head, _, end = token.rpartition("-")
        if end.lower() in kinds:
            token = head
        if token.rpartition("-")[2].lower() not in others:  # `1h` may be a nucleus: no hour then
            token, number = _number(token, columns)
            if number:
                cells.setdefault(*number)
        word = token.lower()
        if word in said and after.lower() not in TAKEN_OUT:
            cells.setdefault(*said[word])
            after_role = True
            continue
        if word in ("before", "after"):
            cells.setdefault("state", word)
        elif token and word not in kinds:
            between = separator or "_" * after_role
            out += between + token if out else token.lstrip("-")
        after_role = False
    return out


def _parted(letters: str, words: Sequence[str]) -> str:
    """Letters of a name, a word set apart in them that stands at their ends or where their case
    changes: `irfDNV`, `DNVirf` and `darkFilm` hold one, `dirfiles` and `darkroom` none.
    """
    for word in sorted(words, key=len, reverse=True):
        for found in re.finditer(word, letters, re.IGNORECASE) if len(word) > 2 else ():
            one, before, after = found[0], letters[: found.start()], letters[found.end() :]
            begins = before == "" or before[-1].islower() > one[0].islower()
            begins |= len(before) > 1 and before.isupper() and one.islower()
            ends = after == "" or (one[-1].islower() and after[0].isupper())
            ends |= one.isupper() and after.islower()
            if begins and ends:
                return GLUE.join((before, one, after))
    return letters


def _words(
    columns: Mapping[str, Column], measurement: str, among: set[str]
) -> dict[str, tuple[str, str]]:
    """Words of names -> column and cell: those of roles, and beside one those of other columns."""
    by_column = {
        column.name: {
            name.lower(): (column.name, cell)
            for cell, word in column.words.items()
            for name in word.names
        }
        for column in columns.values()
        if column.name != "measurement"
    }
    kind = columns["measurement"].words.get(measurement)
    roles = by_column.pop("role") | {
        name: ("role", role)
        for role, names in (kind.roles if kind else {}).items()
        for name in names
    }
    others = {name: cell for words in by_column.values() for name, cell in words.items()}
    return (others if among & set(roles) else {}) | roles


def _number(token: str, columns: Mapping[str, Column]) -> tuple[str, tuple[str, str] | None]:
    """A token without the number with unit at its end, and that number as column and cell."""
    by_unit = {unit: c for c in columns.values() for unit in c.names}
    units = "|".join(map(re.escape, sorted({*by_unit, *DRIVE}, key=len, reverse=True)))
    pattern = rf"(?:(.*[^-+−])-|[A-Za-z]{{1,4}}=|)([-+−]?\d+(?:[.,]\d+)?)\s?({units})"
    found = re.fullmatch(pattern, re.sub("[µμ]", "u", token))
    if not found:
        return token, None
    rest, number, unit = found.groups()
    rest = token[: len(rest or "")]
    column = by_unit.get(unit)
    if column is None:
        return rest, (f"x_{unit}", number)
    if (factor := column.names[unit]) != 1:
        number = f"{column.read(number) * factor:.12g}"
    return rest, (column.name, number)


def _joined(guesses: Mapping[str, _Guess], contents: Mapping[str, Content]) -> dict[str, str]:
    """The sample of each file: a rest that begins with another measurement's rest is joined to it.

    `control_d1_voltage` beside `control_d1`. Where sibling folders hold files of the same name,
    the folder is the sample. Files that only a number tells apart are of one sample where each says
    another place on an axis.
    """
    guesses = _counted(guesses, contents)
    kinds, folders = defaultdict(set), defaultdict(set)
    for file, guess in guesses.items():
        kinds[guess.sample] |= {c.measurement for c in contents[file].kinds or [contents[file]]}
        folders[contents[file].measurement, guess.rest].add(guess.folder)
    joined = {}
    for file, guess in guesses.items():
        sample, kind = guess.sample, contents[file].measurement
        among = folders[kind, guess.rest]
        if guess.rest and len(among) > 1 and all(among):
            sample = guess.folder
        heads = [sample[: m.start()] for m in re.finditer(r"[_\s-]", sample)]
        others = [head for head in heads if kinds.get(head, set()) - {kind}]
        joined[file] = max(others, key=len, default=sample)
    return joined


def _clocked(contents: Mapping[str, Content], columns: Mapping[str, Column]) -> dict[str, Content]:
    """Contents with the times since the first of numbered files that a clock shows to be frames.

    At least `FRAMES` of them, in order of their numbers and as regular as no one measures by hand.
    """
    out, series = dict(contents), defaultdict(list)
    for file, content in contents.items():
        found = re.fullmatch(r"(.*\D)(\d+)\D*", _stem(PurePosixPath(file).name))
        if found and content.clock_s is not None and not content.cells and "time_s" in columns:
            key = (content.measurement, PurePosixPath(file).parent, found[1])
            series[key].append((int(found[2]), content.clock_s, file))
    for frames in series.values():
        _, times, files = zip(*sorted(frames))
        steps = [b - a for a, b in pairwise(times)]
        even = 2.0 + EVEN * (sum(steps) / len(steps)) if steps else 0.0  # stamps are whole seconds
        if len(files) < FRAMES or min(steps) <= 0 or max(steps) - min(steps) > even:
            continue
        for time, file in zip(times, files):
            said = ("time_s", f"{time - times[0]:.6g}"), ("note", CLOCK)
            out[file] = replace(out[file], cells=said)
    return out


def _in_their_roles(
    contents: Mapping[str, Content], columns: Mapping[str, Column]
) -> dict[str, Content]:
    """Contents that may be of another measurement as well as that one, where the names say roles
    that only it has.

    A spectrum called `film_direct` may be anything; beside one called `film_empty`, or a
    calibration of a sphere in or above the folder, it is a run of that sphere. What both
    measurements take (a dark) goes with the runs where nothing else of its kind is left.
    """
    out, folders = dict(contents), defaultdict(list)
    for file, content in contents.items():
        for other in content.also:
            folders[PurePosixPath(file).parent, content.measurement, other].append(file)
    for (folder, kind, other), files in folders.items():
        said = {file: role for file in files if (role := _role(file, other, columns))}
        own = columns["measurement"].words[kind].roles
        runs = {file: role for file, role in said.items() if role not in own}
        beside = any(
            content.measurement == other and PurePosixPath(file).parent in (folder, *folder.parents)
            for file, content in contents.items()
        )
        if len(set(runs.values())) + beside > 1:
            moved = said if len(said) == len(files) else runs
            out |= {file: replace(contents[file], measurement=other) for file in moved}
    return out


def _role(file: str, measurement: str, columns: Mapping[str, Column]) -> str:
    """The role that the name of a file says, among those of a measurement; or ""."""
    path, roles = PurePosixPath(file), columns["measurement"].words[measurement].roles
    names = (_stem(path.name), *reversed(path.parts[:-1]))
    said = filter(None, (role_in(name, measurement, columns) for name in names))
    return role if (role := next(said, "")) in roles else ""


def role_in(head: str, measurement: str, columns: Mapping[str, Column]) -> str:
    """The role that a name or the head of a column says; or "".

    Parameters
    ----------
    head : str
    measurement : str
        Whose roles may stand in it without a separator.
    columns : mapping
        The topic's columns by name.

    Returns
    -------
    str

    Examples
    --------
    >>> from peled.samples.schema import columns
    >>> [role_in(one, "trpl", columns("photoluminescence")) for one in ("irfDNV01", "dirfiles")]
    ['irf', '']
    """
    cells: dict[str, str] = {}
    _left(_as_name(head, columns), measurement, columns, cells)
    return cells.get("role", "")


def _counted(guesses: Mapping[str, _Guess], contents: Mapping[str, Content]) -> dict[str, _Guess]:
    """The guesses without the number that counts files of a series: `film_0012` is `film`."""
    series, out = defaultdict(list), dict(guesses)
    for file, guess in guesses.items():
        found = re.fullmatch(r"(.*[^\W\d_])[-_\s]*\d+", guess.rest)
        if found and contents[file].cells:
            key = (contents[file].measurement, PurePosixPath(file).parent, found[1])
            series[key].append(file)
    for (_, _, rest), files in series.items():
        if 1 < len(files) == len({contents[file].cells for file in files}):
            out |= {file: replace(guesses[file], rest=rest) for file in files}
    return out


def _rows(
    file: str, content: Content, guess: _Guess, sample: str, columns: Mapping[str, Column]
) -> list[tuple[bool, dict]]:
    """The rows of a file, each with whether it rests on names."""
    cells = {"sample": sample, "measurement": content.measurement, "file": file, **guess.cells}
    if content.role:
        cells["role"] = content.role
    named = bool(guess.cells) or sample != guess.stem
    if content.kinds:
        del cells["measurement"]
        rows = [
            {"measurement": kind.measurement, "part": part, "role": kind.role}
            for part, kind in zip(content.parts, content.kinds)
        ]
        return [(named, cells | {k: v for k, v in row.items() if v}) for row in rows]
    role, whose = cells.get("role"), [None, "direct", "indirect", "scan"]
    if guess.named:
        whose.append("empty")
    if role not in whose:
        del cells["sample"]  # an auxiliary row serves all until a person says whom
    if len(content.parts) < 2 or content.axis:
        return [(named, cells)]
    rows = []
    for part in content.parts:
        said: dict[str, str] = {}
        left = _left(_as_name(part, columns), content.measurement, columns, said)
        placed = {k: v for k, v in said.items() if k in columns and columns[k].where}
        whose = left if placed else part  # `P1 2.5 V` and `P1 3 V` are of one sample
        if not re.search(r"[^\W\d_]", left):  # `decay 1` is no sample's name
            whose = f"{sample} {whose}".strip()
        own = cells | {"part": part, "sample": whose, **placed}
        if role := said.get("role"):
            own["role"] = role
            del own["sample"]
        rows.append((bool(guess.cells or role or placed), own))
    return rows


def _as_name(head: str, columns: Mapping[str, Column]) -> str:
    """A head as names of files are written: `P1, 10 mA/cm2` is `P1 10mAcm2`."""
    head = re.sub(r"(?<=[AWJ])[ /]?cm(\^?[-−]?2|⁻²|²)", "cm2", head)
    head = re.sub(r"[@()\[\]]|[,;:](?!\d)|[A-Za-z]{1,4}\s*=\s*(?=[-+\d])", " ", head)
    units = {unit for column in columns.values() if column.where for unit in column.names}
    units = "|".join(map(re.escape, sorted(units, key=len, reverse=True)))
    number = r"(?<!\S)([-+−]?\d+(?:[.,]\d+)?)"
    return " ".join(re.sub(rf"{number}\s+(?=(?:{units})(?!\w))", r"\1", head).split())


def _general(cells: Mapping[str, str], columns: Mapping[str, Column]) -> tuple:
    out = dict(cells)
    for column in ("sample", *(c.name for c in columns.values() if c.kind == "number")):
        value = cells.get(column, "")
        for place in ("part", "file"):
            if value and value in out.get(place, "") and "{" not in value:
                bounded = rf"(?:(?<![\w.])|(?<=_)){re.escape(value)}(?!\d|\.\d)"
                text, n = re.subn(bounded, lambda _, c=column: f"{{{c}}}", out[place], count=1)
                if n:
                    out[place], out[column] = text, f"{{{column}}}"
                    break
    return tuple(out.items())


def _expanded(lines: Iterable[Line], contents: Mapping[str, Content], columns) -> dict:
    """What lines give: file and part -> cells; nothing where a file finds no single row."""
    found = {}
    for file, fits in expand.claims(list(lines), contents, columns).items():
        kept, problems, left = expand.resolve(fits, contents[file].parts or None, columns)
        if problems or left:
            return {}
        for claim in kept:
            place = {"file": file} | ({"part": claim.part} if claim.part else {})
            found[file, claim.part] = expand.fill(claim) | place
    return found
