"""A number as a person sees it: value, error by cause, what it rests on, reasons to doubt."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from peled.sources import SOURCE_KINDS, Kind

Status = Literal["reported", "doubtful", "withheld"]
GateName = Literal["signal", "possible", "determined", "described", "undamaged", "assumed"]

STATUSES: tuple[str, ...] = get_args(Status)

Z95 = 1.959963984540054  # two-sided 95 % of the normal distribution

_serial = itertools.count()


@dataclass(frozen=True)
class Finding:
    """One gate that fired.

    Attributes
    ----------
    gate : str
        One of signal, possible, determined, described, undamaged, assumed.
    status : str
        What it does to the quantity: nothing but a remark (reported), doubtful, withheld.
    evidence : str
        A sentence with numbers.
    where : str
        File, part or operating point.
    """

    gate: GateName
    status: Status
    evidence: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.evidence}" if self.where else self.evidence


@dataclass(frozen=True)
class Quantity:
    """One number of one sample.

    `value` is None exactly where a finding withholds it; a value that is not finite or would carry
    an error of 0 withholds itself. Quantities that rest on the same fit or the same calibration
    remember it in `parts`, so that `derive` keeps their correlation.

    Attributes
    ----------
    name, sample, unit : str
    value : float or None
    budget : mapping of str to float
        Standard error by cause (fit, counting, baseline, calibration, assumed ...), combined in
        quadrature.
    kind : str
        One of `SOURCE_KINDS`.
    findings : tuple of Finding
    relation : str
        '=' or, for a limit, '<' or '>'; `value` is then the 95 % limit.
    interval : (float, float) or None
        95 % interval where it is not value ± 1.96 standard errors.
    inputs : tuple of str
        Digests of the bytes that were read.
    state, note : str
        What was done to the sample before; a remark for the table.
    parts : mapping of (str, str) to float
        Signed error by cause and independent source. Made from `budget` where not given.

    Examples
    --------
    >>> q = Quantity("lifetime", "film 1", 12.34, {"fit": 0.3, "response": 0.4}, "ns")
    >>> q.standard_error, q.status
    (0.5, 'reported')
    >>> print(q)
    12.3±0.5 ns
    """

    name: str
    sample: str
    value: float | None
    budget: Mapping[str, float]
    unit: str
    kind: Kind = "measured"
    findings: tuple[Finding, ...] = ()
    relation: Literal["=", "<", ">"] = "="
    interval: tuple[float, float] | None = None
    inputs: tuple[str, ...] = ()
    state: str = ""
    note: str = ""
    parts: Mapping[tuple[str, str], float] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        if self.kind not in SOURCE_KINDS:
            raise ValueError(f"{self.name}: kind {self.kind!r}, expected one of {SOURCE_KINDS}")
        if self.relation not in ("=", "<", ">"):
            raise ValueError(f"{self.name}: relation {self.relation!r}, expected =, < or >")
        findings = self.findings + _contradictions(self)
        object.__setattr__(self, "findings", findings)
        if self.status == "withheld":
            for name, empty in (("value", None), ("budget", {}), ("interval", None), ("parts", {})):
                object.__setattr__(self, name, empty)
        elif self.value is None:
            raise ValueError(f"{self.name}: no value and no finding that withholds it")
        elif not self.parts:
            object.__setattr__(self, "parts", independent(self.name, self.budget))

    @property
    def standard_error(self) -> float | None:
        """Root of the summed squares of the budget; None where there is none; never 0."""
        return math.hypot(*self.budget.values()) or None if self.budget else None

    @property
    def status(self) -> Status:
        """The worst of the findings."""
        return max((f.status for f in self.findings), key=STATUSES.index, default="reported")

    @property
    def bounds(self) -> tuple[float, float] | None:
        """95 % interval; open on one side for a limit; None where withheld."""
        if self.value is None:
            return None
        if self.relation != "=":
            return (-math.inf, self.value) if self.relation == "<" else (self.value, math.inf)
        half = Z95 * self.standard_error
        return self.interval or (self.value - half, self.value + half)

    @property
    def reasons(self) -> str:
        """What the findings say, the gravest first."""
        order = sorted(self.findings, key=lambda f: -STATUSES.index(f.status))
        return "; ".join(dict.fromkeys(str(f) for f in order))

    def found(self, *findings: Finding) -> Quantity:
        """The same quantity with more findings."""
        return replace(self, findings=self.findings + findings) if findings else self

    def __str__(self) -> str:
        if self.value is None:
            return f"withheld: {self.reasons}"
        unit = f" {shown(self.unit)}".rstrip()
        if self.relation != "=":
            return f"{self.relation} {self.value:.3g}{unit}"
        from uncertainties import ufloat  # rounds as the Particle Data Group does

        text = f"{ufloat(self.value, self.standard_error):P}{unit}"
        if self.interval:
            text += f" (95 %: {self.interval[0]:.3g} to {self.interval[1]:.3g})"
        return text


def with_error(value: float, error: float) -> str:
    """A number and its standard error in a sentence, to two digits of the error.

    Parameters
    ----------
    value, error : float

    Returns
    -------
    str

    Examples
    --------
    >>> with_error(-97.3, 12.2), with_error(1.23456, 0.00301), with_error(2.0, 0.0)
    ('-97 ± 12', '1.2346 ± 0.0030', '2 ± 0')
    """
    if not (math.isfinite(value) and 0 < error < math.inf):
        return f"{value:.4g} ± {error:.2g}"
    from uncertainties import ufloat

    return f"{ufloat(value, error):.2uP}".replace("±", " ± ")


def shown(unit: str) -> str:
    """A unit as it is printed: of a pure number, none.

    Parameters
    ----------
    unit : str

    Returns
    -------
    str

    Examples
    --------
    >>> shown("1"), shown("nm")
    ('', 'nm')
    """
    return "" if unit == "1" else unit


def independent(name: str, budget: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Parts of a budget that is shared with nothing else.

    Parameters
    ----------
    name : str
    budget : mapping of str to float
        Standard errors by cause.

    Returns
    -------
    dict
        Standard variables that no other quantity holds, with their errors.
    """
    return {(cause, f"{name} {next(_serial)}"): float(e) for cause, e in budget.items()}


def _contradictions(q: Quantity) -> tuple[Finding, ...]:
    """What makes a value unfit to be one."""
    if q.value is None or q.status == "withheld":
        return ()
    said = ""
    if not math.isfinite(q.value):
        said = "the data determine no finite value"
    elif not all(math.isfinite(e) and e >= 0 for e in q.budget.values()):
        said = "its error is not a finite positive number"
    elif q.relation == "=" and not q.standard_error:
        said = "no error is known for it"
    elif q.interval and not q.interval[0] < q.value < q.interval[1]:
        said = (
            f"{q.value:.3g} does not lie in its interval {q.interval[0]:.3g} to {q.interval[1]:.3g}"
        )
    return (Finding("determined", "withheld", said),) if said else ()
