"""The paper as data: its claims and panels, and the verdict on each claim.

A claim is a printed number (or range, ratio, list) or a statement. A verdict compares it with what was found, by one
route of one kind, and allows for three things: the rounding of the printed number, the uncertainty printed with it,
and the standard error of what was found. What was found on simulated data never agrees with the paper: there the
pipeline recovers the number that was put in, or misses it.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

from ledger import files
from peled.sources import SOURCE_KINDS

VERDICTS = ("agrees", "disagrees", "partly", "not testable", "pipeline recovers", "pipeline misses")
_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"


class LedgerError(ValueError):
    """A row of the ledger of claims or panels that cannot be used, or a claim that is not in it."""


@dataclass(frozen=True)
class Printed:
    """A number as printed: its value, half the last digit printed, and how it is related to the truth (`=`, `~`, `<=`, ...)."""

    value: float
    half_width: float
    relation: str = "="


@dataclass(frozen=True)
class Claim:
    """One checkable claim of the paper; the text fields are those of `claims.csv`."""

    id: str
    section: str
    figure: str
    quantity: str
    statement: str
    value: str
    uncertainty: str
    unit: str
    conditions: str
    topic: str
    check_kind: str
    derivation: str
    note: str

    @property
    def shape(self) -> str:
        """`number`, `range`, `ratio`, `list` or `text`."""
        return _parse(self.value, self.uncertainty)[0]

    @property
    def printed(self) -> tuple[Printed, ...]:
        """The numbers printed: one for a number or ratio, two for a range, several for a list, none for text."""
        return _parse(self.value, self.uncertainty)[1]

    @property
    def number(self) -> float:
        """The value of a claim that prints one number (a ratio counts as its quotient).

        Raises
        ------
        LedgerError
            If the claim prints none or several.
        """
        if len(self.printed) != 1:
            raise LedgerError(f"{self.id}: expected one printed number, found {self.value!r}")
        return self.printed[0].value

    @property
    def printed_uncertainty(self) -> float:
        """The uncertainty printed with the value, 0 where none is."""
        return float(self.uncertainty) if re.fullmatch(_NUMBER, self.uncertainty) else 0.0

    def as_printed(self) -> str:
        """Value, uncertainty and unit in one string."""
        if self.uncertainty in ("~", "<=", ">=", "<", ">"):
            text = self.uncertainty + self.value
        else:
            text = self.value + (f" ± {self.uncertainty}" if self.uncertainty else "")
        return f"{text} {self.unit}".strip()


@dataclass(frozen=True)
class Panel:
    """One panel of the paper; the fields are those of `panels.csv`."""

    panel: str
    name: str
    plotted: str
    topic: str
    kind: str
    claims: tuple[str, ...]
    regenerate: str
    model: str
    published_parameters: str
    assumed_parameters: str
    accept_formats: str


@dataclass(frozen=True)
class Verdict:
    """What one route of one kind says about one claim."""

    claim_id: str
    route: str
    verdict: str
    source_kind: str
    published: str
    found: str | float | list | None
    standard_error: float | None
    unit: str
    note: str = ""

    def record(self) -> dict:
        return asdict(self)


def published_folder() -> Path:
    """Folder of the two ledgers: `published` in the paper's own package below `lib`.

    The environment variable `PELED_PUBLISHED` names another paper's.
    """
    if named := os.environ.get("PELED_PUBLISHED"):
        return files.resolve(named)
    found = sorted((files.ROOT / "lib").glob("*/published"))
    if len(found) != 1:
        raise LedgerError(
            "the ledgers: expected one folder lib/<paper>/published, "
            f"found {', '.join(map(files.display_path, found)) or 'none'}"
        )
    return found[0]


def claims(folder: Path | None = None) -> dict[str, Claim]:
    """All claims by id.

    Raises
    ------
    LedgerError
        Naming file and line of a row that cannot be used.
    """
    return dict(_read_claims((folder or published_folder()) / "claims.csv"))


def panels(folder: Path | None = None) -> dict[str, Panel]:
    """All panels by file name (`fig2g`, `ed3n`)."""
    return dict(_read_panels((folder or published_folder()) / "panels.csv"))


def claim(claim_id: str) -> Claim:
    """One claim.

    Raises
    ------
    LedgerError
        If the ledger has no such claim.
    """
    found = _read_claims(published_folder() / "claims.csv")
    if claim_id not in found:
        raise LedgerError(
            f"claim {claim_id!r}: expected an id of the ledger ({min(found)} to {max(found)}), found none such"
        )
    return found[claim_id]


def compare(
    entry: Claim,
    found: float | Sequence[float],
    standard_error: float | Sequence[float] = 0.0,
    *,
    z: float = 1.96,
    half_width: float | None = None,
) -> bool:
    """Whether `found` is what the claim prints, within rounding, printed uncertainty and `z` standard errors.

    A printed number v of half-width h with printed uncertainty u holds when \\|found − v\\| ≤ h + z·√(u² + s²); a printed
    bound holds when it is not passed by more than h + z·s; a range when found lies inside it with that margin at both
    ends (when `found` has two values: when both ends of the printed range are met); a list when every member holds.
    `half_width` replaces h where the neighbours of a number show how finely it is printed (630 nm beside 625 and 635).

    Raises
    ------
    LedgerError
        If the claim prints no number, or `found` has another count of values than the list.
    """
    found = [float(x) for x in (found if isinstance(found, Sequence) else (found,))]
    errors = [
        float(x)
        for x in (
            standard_error
            if isinstance(standard_error, Sequence)
            else (standard_error,) * len(found)
        )
    ]
    if not entry.printed:
        raise LedgerError(
            f"{entry.id}: expected a printed number to compare {found} with, found the text {entry.value!r}"
        )
    if not all(map(math.isfinite, found + errors)):
        raise LedgerError(
            f"{entry.id}: expected finite numbers to compare, found {found} ± {errors}"
        )
    numbers = (
        entry.printed
        if half_width is None
        else tuple(replace(p, half_width=half_width) for p in entry.printed)
    )
    if entry.shape == "range" and len(found) == 1:
        low, high = numbers
        margin = z * errors[0]
        return (
            low.value - low.half_width - margin <= found[0] <= high.value + high.half_width + margin
        )
    if len(found) != len(entry.printed):
        raise LedgerError(
            f"{entry.id}: expected {len(entry.printed)} values for {entry.value!r}, found {len(found)}"
        )
    return all(
        _holds(p, x, math.hypot(entry.printed_uncertainty, s), z)
        for p, x, s in zip(numbers, found, errors, strict=True)
    )


def combine(verdicts: Sequence[str]) -> str:
    """The verdict on a claim from the verdicts of its routes: unanimous, or `partly`.

    Routes that test the paper outrank simulated ones; `not testable` counts only when nothing else was said.
    """
    said = [v for v in verdicts if v != "not testable"]
    tests = [v for v in said if not v.startswith("pipeline")] or said
    if not tests:
        return "not testable"
    if len(set(tests)) == 1:
        return tests[0]
    return "pipeline misses" if all(v.startswith("pipeline") for v in tests) else "partly"


def judge(
    claim_id: str,
    found=None,
    standard_error=0.0,
    *,
    kind: str,
    holds: bool | str | None = None,
    route: str = "",
    note: str = "",
    half_width: float | None = None,
    z: float = 1.96,
) -> Verdict:
    """The verdict on one claim by one route.

    Parameters
    ----------
    claim_id : str
    found : float or sequence of float or str, optional
        What was found, in the claim's unit; text for a statement.
    standard_error : float or sequence of float
        Of `found`, same unit.
    kind : str
        One of `SOURCE_KINDS`. `published` tests nothing and gives `not testable`.
    holds : bool or "partly", optional
        For statements, or where the comparison needs more than one number; overrules the numeric comparison.
    route : str
        A few words that tell this check from others of the same claim.
    note : str
        What a reader should know: the arithmetic, the contradiction, the assumption.
    half_width, z : float
        See `compare`.

    Raises
    ------
    LedgerError, ValueError
        For an unknown claim or kind, or a claim without a printed number when `holds` is not given.
    """
    entry = claim(claim_id)
    if kind not in SOURCE_KINDS:
        raise ValueError(
            f"{claim_id}: source kind: expected one of {', '.join(SOURCE_KINDS)}, found {kind!r}"
        )
    if kind == "published":
        verdict = "not testable"
        note = note or "transcribed from the paper; nothing else printed depends on it"
    else:
        if holds is None:
            holds = compare(entry, found, standard_error, z=z, half_width=half_width)
        verdict = {True: "agrees", False: "disagrees", "partly": "partly"}[
            holds if holds == "partly" else bool(holds)
        ]
        if kind == "simulated":
            verdict = "pipeline recovers" if verdict == "agrees" else "pipeline misses"
    numeric = isinstance(found, Sequence) and not isinstance(found, str)
    error = (
        standard_error
        if not isinstance(standard_error, Sequence)
        else max(map(float, standard_error))
    )
    return Verdict(
        claim_id,
        route,
        verdict,
        kind,
        entry.as_printed(),
        [float(x) for x in found]
        if numeric
        else found
        if isinstance(found, str) or found is None
        else float(found),
        None if found is None or isinstance(found, str) else float(error),
        entry.unit,
        note,
    )


def not_testable(claim_id: str, why: str, *, kind: str = "published") -> Verdict:
    """A claim that nothing at hand can test, and why."""
    entry = claim(claim_id)
    return Verdict(
        claim_id, "", "not testable", kind, entry.as_printed(), None, None, entry.unit, why
    )


def _holds(p: Printed, found: float, error: float, z: float) -> bool:
    # The last digits of binary fractions must not decide a comparison with a rounded decimal.
    margin = p.half_width + z * error + 1e-9 * max(abs(p.value), abs(found))
    if p.relation in ("<=", "<"):
        return found <= p.value + margin
    if p.relation in (">=", ">"):
        return found >= p.value - margin
    return abs(found - p.value) <= margin


def _printed(text: str, relation: str = "=") -> Printed:
    """Half of the last digit printed; trailing zeros of an integer are not counted as printed digits.

    `~` doubles the half-width: a number called approximate is rounded more freely than it is printed.
    """
    mantissa, _, exponent = text.lower().partition("e")
    digits = mantissa.lstrip("+-")
    if "." in digits:
        place = -len(digits.split(".")[1])
    else:
        place = len(digits) - len(digits.rstrip("0")) if digits.strip("0") else 0
    half = 0.5 * 10.0 ** (place + int(exponent or 0))
    return Printed(float(text), half * (2 if relation == "~" else 1), relation)


@cache
def _parse(value: str, uncertainty: str) -> tuple[str, tuple[Printed, ...]]:
    text = value.strip()
    relation = uncertainty if uncertainty in ("~", "<=", ">=", "<", ">") else "="
    if match := re.fullmatch(rf"(<=|>=|<|>|~)\s*({_NUMBER})", text):
        relation, text = match[1], match[2]
    if re.fullmatch(_NUMBER, text):
        return "number", (_printed(text, relation),)
    if match := re.fullmatch(rf"({_NUMBER})-({_NUMBER})", text):
        return "range", (_printed(match[1], relation), _printed(match[2], relation))
    if match := re.fullmatch(rf"({_NUMBER}):({_NUMBER})", text):
        a, b = _printed(match[1]), _printed(match[2])
        # A ratio such as 2:3 is printed in whole numbers; "approximately" is read as a tenth of it.
        return "ratio", (Printed(a.value / b.value, 0.05 * a.value / b.value, relation),)
    parts = [part.strip() for part in re.split(r"[;,]", text)]
    if len(parts) > 1 and all(re.fullmatch(_NUMBER, part) for part in parts):
        return "list", tuple(_printed(part, relation) for part in parts)
    return "text", ()


@lru_cache(maxsize=8)
def _read_claims(path: Path) -> dict[str, Claim]:
    names = list(Claim.__dataclass_fields__)
    found: dict[str, Claim] = {}
    for line, row in _rows(path, names):
        entry = Claim(**{name: row[name].strip() for name in names})
        if not re.fullmatch(r"C\d{3,}", entry.id):
            raise LedgerError(
                f"{files.display_path(path)}, line {line}: id: expected C and three digits, found {entry.id!r}"
            )
        if entry.id in found:
            raise LedgerError(
                f"{files.display_path(path)}, line {line}: id: expected a new one, found {entry.id} again"
            )
        found[entry.id] = entry
    return found


@lru_cache(maxsize=8)
def _read_panels(path: Path) -> dict[str, Panel]:
    names = [name for name in Panel.__dataclass_fields__]
    found = {}
    for line, row in _rows(path, names):
        values = {name: row[name].strip() for name in names}
        values["claims"] = tuple(values["claims"].split())
        if values["name"] in found:
            raise LedgerError(
                f"{files.display_path(path)}, line {line}: name: expected a new one, found {values['name']} again"
            )
        found[values["name"]] = Panel(**values)
    return found


def _rows(path: Path, names: list[str]):
    try:
        stream = open(path, newline="", encoding="utf-8")
    except OSError as error:
        raise LedgerError(
            f"{files.display_path(path)}: expected a ledger, found {error.strerror}"
        ) from None
    with stream:
        reader = csv.DictReader(stream)
        missing = [name for name in names if name not in (reader.fieldnames or [])]
        if missing:
            raise LedgerError(
                f"{files.display_path(path)}, line 1: expected the columns {', '.join(names)}; missing: {', '.join(missing)}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise LedgerError(
                    f"{files.display_path(path)}, line {reader.line_num}: expected {len(reader.fieldnames)} cells, found {'more' if None in row else 'fewer'}"
                )
            yield reader.line_num, row
