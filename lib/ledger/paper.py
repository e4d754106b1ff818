"""The paper as data: its claims and panels, and the verdict on each claim.

A claim is a printed number (or range, ratio, list) or a statement. A verdict has three parts:

outcome  agrees, disagrees, partly, inconclusive, not testable; recovers or misses on simulated data
test     what kind of trial it was: decides, bound, restated, text; method tested or read back on
         simulated data
kind     what it stands on: measured, calculated, recomputed, literature, simulated, published

How a claim is tested stands in its row of the ledger, what was found in the check; one evaluator
makes the verdict of both. It allows for the rounding of the printed number (h), the uncertainty
printed with it and the standard error of what was found (together sigma). A test decides when it
has power: had the truth been the rival, at a distance Delta from the printed value, it would have
been rejected with probability Phi((Delta - h)/sigma - 1.96) of at least 0.9. A comparison without
that power, agreeing or not, is inconclusive; so is a limit that would have let the rival pass more
often than not.
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
from statistics import NormalDist

from ledger import files
from peled.sources import SOURCE_KINDS

VERDICTS = (
    "agrees",
    "disagrees",
    "partly",
    "inconclusive",
    "not testable",
    "pipeline recovers",
    "pipeline misses",
)
#: Kinds of trial, the weightiest first; the last two are those of a pipeline.
TESTS = ("decides", "bound", "text", "restated", "method tested", "read back")
#: What a fact is about, the weightiest first; written before its name in the ledger.
MEANINGS = ("matter", "photons", "kinetics", "numbers", "text")
#: Kinds of source that put the paper itself to the test.
TESTING = ("measured", "calculated", "literature", "recomputed")
#: Least power of a test that decides, and the distance in standard errors at which a value is
#: rejected.
POWER, Z = 0.9, 1.96
#: Least power of a limit: below it the rival would more likely have passed than not, and the limit
#: says nothing.
LIMIT_POWER = 0.5
#: A rival of ratio scale, where the ledger names none, is off by this share of the printed value.
RIVAL_SHARE = 0.3
#: Ways of reading a source that may carry a verdict.
READ = ("full text", "abstract", "database")
_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"


class LedgerError(ValueError):
    """A row of the ledger of claims or panels that cannot be used, or a claim that is not in it."""


@dataclass(frozen=True)
class Printed:
    """A number as printed: its value, half the last digit printed, and how it is related to the
    truth (`=`, `~`, `<=`, ...)."""

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
    fact: str = ""
    rival: str = ""
    predicate: str = ""
    test: str = ""
    tolerance: str = ""
    settles: str = ""

    @property
    def shape(self) -> str:
        """`number`, `range`, `ratio`, `list` or `text`."""
        return _parse(self.value, self.uncertainty)[0]

    @property
    def printed(self) -> tuple[Printed, ...]:
        """The numbers printed: one for a number or ratio, two for a range, several for a list, none
        for text.

        Their half-widths are half the last digit printed, or what `tolerance` says.
        """
        return _parse(self.value, self.uncertainty, self.tolerance)[1]

    @property
    def derived(self) -> bool:
        """Whether the number is ours, made of printed ones, and printed nowhere itself
        (`derive`)."""
        return self.check_kind == "derive"

    @property
    def meaning(self) -> str:
        """What the fact is about: one of `MEANINGS`."""
        return self.fact.split(":")[0] if ":" in self.fact else "numbers"

    @property
    def fact_id(self) -> str:
        """The fact that the claim is an expression of; claims of one relation share it."""
        return self.fact or self.id

    @property
    def rival_distance(self) -> float:
        """How far the rival lies from the (first) printed number; 30 % of it where the ledger names
        none."""
        if not self.printed:
            return math.nan
        number = self.rival.split(":")[0].strip()
        if number.startswith("±"):
            return float(number[1:])
        first = self.printed[0].value
        return abs(float(number) - first) if number else RIVAL_SHARE * abs(first)

    @property
    def reversed(self) -> bool:
        """Whether the ledger states the contrary of what the checks of this claim evaluate (`not
        ...`)."""
        return self.predicate.startswith("not ")

    def named_test(self, kind: str, route: str) -> str:
        """The kind of trial that the ledger names for a route, "" where it is to be computed.

        `test` holds words with semicolons between: `bound`, `text`, `restated` for every route that
        tests the paper, `method tested` or `read back` for the simulated ones, `route=word` for one
        route alone.
        """
        plain, of_route = [], {}
        for word in filter(None, map(str.strip, self.test.split(";"))):
            name, given, what = word.rpartition("=")
            if given:
                of_route[name] = what
            else:
                plain.append(what)
        pipeline = kind == "simulated"
        fitting = [word for word in plain if (word in TESTS[-2:]) == pipeline]
        default = fitting[0] if fitting else "method tested" if pipeline else ""
        return of_route.get(route, default)

    def printing(self, found: float | Sequence[float]) -> Claim:
        """The claim as it would stand had the paper printed what was found."""
        values = list(found) if isinstance(found, Sequence) else [found] * len(self.printed)
        joined = {"range": "-", "list": "; "}.get(self.shape, "")
        share = max(p.half_width for p in self.printed)
        return replace(self, value=joined.join(f"{x:.9g}" for x in values), tolerance=f"{share:g}")

    def flipped(self, limit: str = "") -> list[Claim]:
        """The claim as its rivals would print it: the value on either side, or the predicate
        reversed.

        Of a printed bound, and where what was found is itself a `limit`, only one side is contrary.
        """
        if not self.printed:
            reverse = self.predicate[4:] if self.reversed else f"not {self.predicate}"
            return [replace(self, predicate=reverse)] if self.predicate else []
        share = max(p.half_width for p in self.printed)
        distance = max(self.rival_distance, 2.1 * share)
        side = {"upper": 1, "lower": -1}.get(limit) or {">": 1, "<": -1}.get(
            self.printed[0].relation[0]
        )
        return [
            replace(self, value=_moved(self, sign * distance), tolerance=f"{share:g}")
            for sign in (-1, 1)
            if side in (None, sign)
        ]

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
        """The standard error printed with the value, 0 where none is."""
        return float(self.uncertainty) if re.fullmatch(_NUMBER, self.uncertainty) else 0.0

    @property
    def printed_spread(self) -> float:
        """The standard deviation of a population printed with its mean (`sd 2`), 0 where none is;
        no error of the mean."""
        match = re.fullmatch(rf"sd ({_NUMBER})", self.uncertainty)
        return float(match[1]) if match else 0.0

    def as_printed(self) -> str:
        """Value, uncertainty and unit in one string, and whether it is derived from printed
        numbers."""
        if self.uncertainty in ("~", "<=", ">=", "<", ">"):
            text = self.uncertainty + self.value
        elif self.printed_spread:
            text = f"{self.value} (population ± {self.printed_spread:g})"
        else:
            text = self.value + (f" ± {self.uncertainty}" if self.uncertainty else "")
        return f"{text} {self.unit}".strip() + (" (derived)" if self.derived else "")


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
    """What one route of one kind says about one claim, with the evidence that it was made of.

    `verdict` is the outcome, `test` the kind of trial, `power` the probability of rejecting the
    rival (None where that is not defined). `holds`, `margin` and `limit` are as `judge` takes them.
    """

    claim_id: str
    route: str
    verdict: str
    source_kind: str
    published: str
    found: str | float | list | None
    standard_error: float | None
    unit: str
    note: str = ""
    test: str = ""
    power: float | None = None
    holds: bool | str | None = None
    margin: float | None = None
    limit: str = ""

    def record(self) -> dict:
        return asdict(self)

    def again(self, entry: Claim) -> Verdict:
        """The verdict that this evidence gives on another printing of the claim."""
        if self.verdict == "not testable":
            return self
        return evaluate(
            entry,
            self.found,
            self.standard_error or 0.0,
            kind=self.source_kind,
            holds=self.holds,
            margin=self.margin,
            limit=self.limit,
            route=self.route,
            note=self.note,
        )


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


def panels() -> dict[str, Panel]:
    """All panels by file name (`fig2g`, `ed3n`)."""
    return dict(_read_panels(published_folder() / "panels.csv"))


def literature(folder: Path | None = None) -> list[dict[str, str]]:
    """Published values that bear on claims, a row each, empty where the paper's folder has no
    `literature.csv`.

    `holds` says what a value can do: empty, it is compared with the claim; `inconclusive`, it was
    measured on another material or under other conditions; `context`, it tests nothing and stands
    beside the claim; `not found`, nobody's value could be found, and `place` says where it was
    looked for.

    Raises
    ------
    LedgerError
        Naming a row whose source was not read, or that nobody could find again.
    """
    path = (folder or published_folder()) / "literature.csv"
    if not path.exists():
        return []
    names = ["claim", "route", "quantity", "value", "unit", "conditions", "found", "error"]
    names += ["holds", "source", "doi", "place", "read", "note"]
    found = []
    for line, row in _rows(path, names):
        if row["holds"] == "not found":
            fits = row["place"] and row["read"] == "searched" and not row["value"]
            wanted = "no value, a place and read as searched"
        else:
            fits = row["read"] in READ and (row["doi"] or row["read"] == "database")
            wanted = f"a DOI and read from {', '.join(READ)}"
        if not fits:
            raise LedgerError(
                f"{files.display_path(path)}, line {line}: {row['claim']} "
                f"{row['route']}: expected {wanted}, "
                f"found {row['doi'] or 'no DOI'}, {row['read']}"
            )
        found.append(row)
    return found


def headlines(folder: Path | None = None) -> list[tuple[str, tuple[str, ...]]]:
    """What the paper is read for: each finding in a few words, and the claims that carry it.

    Empty where the paper's folder has no `headlines.csv`.

    Raises
    ------
    LedgerError
        Naming a claim that is not in the ledger.
    """
    folder = folder or published_folder()
    path, known = folder / "headlines.csv", claims(folder)
    if not path.exists():
        return []
    found = [
        (row["finding"], tuple(row["claims"].split()))
        for _, row in _rows(path, ["finding", "claims"])
    ]
    if lost := [c for _, ids in found for c in ids if c not in known]:
        raise LedgerError(
            f"{files.display_path(path)}: expected claims of the ledger, found {', '.join(lost)}"
        )
    return found


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
            f"claim {claim_id!r}: expected an id of the ledger ({min(found)} to "
            f"{max(found)}), found none such"
        )
    return found[claim_id]


def compare(
    entry: Claim,
    found: float | Sequence[float],
    standard_error: float = 0.0,
    *,
    limit: str = "",
) -> tuple[bool, float]:
    """Whether `found` is what the claim prints, and the power of that comparison.

    A printed number v of half-width h with printed uncertainty u holds when |found - v| <= h + 1.96
    sigma, where sigma = sqrt(u^2 + s^2); a printed bound when it is not passed by more; a range
    when found lies inside with that margin (when `found` has two values: when both ends of the
    range are met); a list when every member holds.

    Parameters
    ----------
    entry : Claim
    found : float or sequence of float
    standard_error : float
    limit : str
        `upper` or `lower` when the truth is at most, or at least, what was found: then only a
        printed value beyond that limit is rejected.

    Returns
    -------
    holds : bool
    power : float
        Probability of rejecting the rival; after a rejection the rival is what was found, where
        that is farther.

    Raises
    ------
    LedgerError
        If the claim prints no number, or `found` has another count of values than the list.
    """
    values = [float(x) for x in (found if isinstance(found, Sequence) else (found,))]
    if not entry.printed:
        raise LedgerError(
            f"{entry.id}: expected a printed number to compare {values} with, "
            f"found the text {entry.value!r}"
        )
    if not all(map(math.isfinite, [*values, standard_error])):
        raise LedgerError(
            f"{entry.id}: expected finite numbers to compare, found {values} ± {standard_error}"
        )
    numbers = entry.printed
    if entry.shape == "range" and len(values) == 1:
        low, high = sorted(numbers, key=lambda p: p.value)
        inside = min(max(values[0], low.value), high.value)
        numbers = (replace(low, value=inside),)
    if len(values) != len(numbers):
        raise LedgerError(
            f"{entry.id}: expected {len(numbers)} values for {entry.value!r}, found {len(values)}"
        )
    sigma, rival, first = (
        math.hypot(entry.printed_uncertainty, standard_error),
        entry.rival_distance,
        entry.printed[0].value,
    )
    each = [
        # The members of a list are of different sizes, and so are their rivals.
        _against(
            p, x, sigma, rival * abs(p.value / first) if entry.shape == "list" else rival, limit
        )
        for p, x in zip(numbers, values, strict=True)
    ]
    rejecting = [power for holds, power in each if not holds]
    return not rejecting, max(rejecting) if rejecting else min(power for _, power in each)


def _against(p: Printed, found: float, sigma: float, rival: float, limit: str):
    """One number against one printed: whether it holds, and the power of saying so."""
    # The last digits of binary fractions must not decide a comparison with a rounded decimal.
    half = p.half_width + 1e-9 * max(abs(p.value), abs(found))
    excess = found - p.value
    if limit or p.relation in ("<=", "<", ">=", ">"):
        # Only one side can be passed: that of a limit found, or that of a bound printed.
        upper = limit == "upper" if limit else p.relation in (">=", ">")
        beyond = -excess if upper else excess
    else:
        beyond = abs(excess)
    holds = beyond <= half + Z * sigma
    # A limit found far from the value would let the rival pass, too.
    distance = rival + beyond if limit else rival
    return holds, _power(distance if holds else max(distance, beyond), half, sigma)


def _power(distance: float, half: float, sigma: float) -> float:
    if sigma == 0:
        return 1.0 if distance > half else 0.0
    return NormalDist().cdf((distance - half) / sigma - Z)


@dataclass(frozen=True)
class Combined:
    """What all routes together say: the outcome, and test, kind, power and claims of the routes
    that settled it."""

    verdict: str
    test: str
    kind: str
    power: float | None
    by: tuple[str, ...] = ()


def combine(routes: Sequence[Verdict]) -> Combined:
    """One verdict from those of all routes.

    The weightiest trial speaks: a test that decides, then a bound, then evidence too weak to
    decide, then text, then a number restated, then a pipeline; where trials of one weight differ,
    the claim holds partly. So a number printed twice softens no calculation, and simulated data
    never stand beside a test of the paper. Evidence without power, or that would have let the
    rival pass more often than not, comes after a number restated: it had nothing to say.
    """
    weight = min(map(_weight, routes))
    speaking = [route for route in routes if _weight(route) == weight]
    said = {route.verdict for route in speaking}
    if len(said) == 1:
        verdict = said.pop()
    else:
        verdict = "pipeline misses" if speaking[0].source_kind == "simulated" else "partly"
    strength = ("measured", "calculated", "literature", "recomputed", "simulated", "published")
    powers = [route.power for route in speaking if route.power is not None]
    tests = [route.test for route in speaking]
    return Combined(
        verdict,
        min(filter(None, tests), key=TESTS.index, default=""),
        min((route.source_kind for route in speaking), key=strength.index),
        max(powers) if powers else None,
        tuple(dict.fromkeys(route.claim_id for route in speaking)),
    )


def _weight(route: Verdict) -> int:
    if route.verdict == "not testable":
        return 7
    if route.verdict == "inconclusive":
        return 2 if route.power is not None and route.power >= LIMIT_POWER else 5
    return {"decides": 0, "bound": 1, "text": 3, "restated": 4}.get(route.test, 6)


def judge(
    claim_id: str,
    found=None,
    standard_error=0.0,
    *,
    kind: str,
    holds: bool | str | None = None,
    margin: float | None = None,
    limit: str = "",
    route: str = "",
    note: str = "",
) -> Verdict:
    """The verdict on one claim by one route.

    Parameters
    ----------
    claim_id : str
    found : float or sequence of float or str, optional
        What was found, in the claim's unit; text for a statement.
    standard_error : float or sequence of float
        Of `found`, same unit; the largest counts.
    kind : str
        One of `SOURCE_KINDS`. `published` tests nothing and gives `not testable`.
    holds : bool, "partly" or "inconclusive", optional
        For statements: whether the predicate of the ledger was found true. With a number, a further
        condition.
    margin : float, optional
        For statements: how many standard errors the evidence lies from where the predicate would
        turn (infinite for counts and logic). Without it a statement decides nothing.
    limit : str
        `upper` or `lower`; see `compare`.
    route : str
        A few words that tell this check from others of the same claim.
    note : str
        What a reader should know: the arithmetic, the contradiction, the assumption.

    Raises
    ------
    LedgerError, ValueError
        For an unknown claim or kind, or a claim without a printed number when `holds` is not given.
    """
    if kind not in SOURCE_KINDS:
        raise ValueError(
            f"{claim_id}: source kind: expected one of {', '.join(SOURCE_KINDS)}, found {kind!r}"
        )
    return evaluate(
        claim(claim_id),
        found,
        standard_error,
        kind=kind,
        holds=holds,
        margin=margin,
        limit=limit,
        route=route,
        note=note,
    )


def evaluate(
    entry: Claim, found, standard_error, *, kind, holds, margin, limit, route, note
) -> Verdict:
    """The verdict on a claim that need not be one of the ledger; see `judge` for the parameters."""
    error = max(
        map(float, standard_error if isinstance(standard_error, Sequence) else [standard_error])
    )
    margin = None if margin is None else min(abs(float(margin)), 1e6)
    if isinstance(found, Sequence) and not isinstance(found, str):
        found = [float(x) for x in found]
    elif found is not None and not isinstance(found, str):
        found = float(found)
    if holds not in (None, "partly", "inconclusive"):
        holds = bool(holds)
    if kind == "published":
        verdict, test, power = "not testable", "", None
        note = note or "transcribed from the paper; nothing else printed depends on it"
    else:
        verdict, power = _outcome(entry, found, error, holds, margin, limit)
        reach = power or 0.0
        computed = "decides" if reach >= POWER else "bound" if limit else ""
        test = entry.named_test(kind, route) or computed
        if test == "bound" and reach < LIMIT_POWER:
            test = ""
        if kind == "simulated":
            verdict = "pipeline recovers" if verdict == "agrees" else "pipeline misses"
        elif not test:
            verdict = "inconclusive"
        elif verdict == "inconclusive":
            test = ""
    return Verdict(
        entry.id,
        route,
        verdict,
        kind,
        entry.as_printed(),
        found,
        None if found is None or isinstance(found, str) else error,
        entry.unit,
        note or _arithmetic(entry, found, error),
        test,
        power,
        holds,
        margin,
        limit,
    )


def _outcome(entry: Claim, found, error: float, holds, margin, limit: str):
    """Outcome and power, before the ledger says what kind of trial it was."""
    if isinstance(found, str) or found is None or not entry.printed:
        if holds is None:
            compare(entry, [], 0.0)
        if margin is not None and margin < Z:
            holds = "inconclusive"
        power = None if margin is None else NormalDist().cdf(margin - Z)
    else:
        matches, power = compare(entry, found, error, limit=limit)
        holds = matches if holds in (None, True) else holds if matches or holds else False
    if isinstance(holds, str):
        return holds, power
    return "agrees" if holds != (entry.reversed and not entry.printed) else "disagrees", power


def _arithmetic(entry: Claim, found, error: float) -> str:
    """The arithmetic of a comparison on which its check says nothing more."""
    if isinstance(found, str) or found is None or not entry.printed:
        relation, _, what = entry.predicate.removeprefix("not ").partition(": ")
        return f"asked: {what}, {relation}?" if what else f"asked: {entry.statement}?"
    values = found if isinstance(found, list) else [found] * len(entry.printed)
    apart = [x - p.value for p, x in zip(entry.printed, values, strict=True)]
    sigma = math.hypot(entry.printed_uncertainty, error)
    allowed = [p.half_width + Z * sigma for p in entry.printed]
    return "; ".join(
        f"{a:+.3g} apart, ± {w:.2g} allowed" for a, w in zip(apart, allowed, strict=True)
    )


def not_testable(claim_id: str, why: str) -> Verdict:
    """A claim that nothing at hand can test, and why."""
    entry = claim(claim_id)
    return Verdict(
        claim_id, "", "not testable", "published", entry.as_printed(), None, None, entry.unit, why
    )


def _moved(entry: Claim, by: float) -> str:
    """The value of a claim with every number of it moved, in the form in which it is printed."""
    prefix = entry.value[: len(entry.value) - len(entry.value.lstrip("<>=~ "))]
    share = by / abs(entry.printed[0].value or 1.0)
    joined = {"range": "-", "list": "; "}.get(entry.shape, "")
    if entry.shape == "ratio":
        first, _, second = entry.value.partition(":")
        return f"{float(first) * (1 + share):.9g}:{second}"
    if entry.shape == "list":
        return joined.join(f"{p.value * (1 + share):.9g}" for p in entry.printed)
    return prefix + joined.join(f"{p.value + by:.9g}" for p in entry.printed)


def _printed(text: str, relation: str = "=") -> Printed:
    """Half of the last digit printed; trailing zeros of an integer are not counted as printed
    digits.

    `~` doubles the half-width: a number called approximate is rounded more freely than it is
    printed.
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
def _parse(value: str, uncertainty: str, tolerance: str = "") -> tuple[str, tuple[Printed, ...]]:
    """Shape and numbers of a value; `tolerance` is a half-width, then its rule after a colon."""
    if tolerance:
        shape, numbers = _parse(value, uncertainty)
        half = float(tolerance.split(":")[0])
        return shape, tuple(replace(p, half_width=half) for p in numbers)
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
                f"{files.display_path(path)}, line {line}: id: expected C and three "
                f"digits, found {entry.id!r}"
            )
        if entry.id in found:
            raise LedgerError(
                f"{files.display_path(path)}, line {line}: id: expected a new one, found "
                f"{entry.id} again"
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
                f"{files.display_path(path)}, line {line}: name: expected a new one, "
                f"found {values['name']} again"
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
                f"{files.display_path(path)}, line 1: expected the columns "
                f"{', '.join(names)}; missing: {', '.join(missing)}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise LedgerError(
                    f"{files.display_path(path)}, line {reader.line_num}: expected "
                    f"{len(reader.fieldnames)} cells, found "
                    f"{'more' if None in row else 'fewer'}"
                )
            yield reader.line_num, row
