"""How a number of a technique becomes a quantity: one row's name, digest and kind, gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from peled.conditioning.signal import ConditioningError, Signal
from peled.conditioning.steps import saturation
from peled.quantities import Estimates, Finding, Quantity, assumed, derive, from_normal
from peled.report import Problem, reason
from peled.samples import Held, Row, state_of
from peled.sources import kind_of


@dataclass
class Bench:
    """What one sample's measurements by one technique gave; filled by the technique.

    `keep` is what drawers draw, `quantities` and `problems` go to the report.
    """

    sample: str
    held: tuple[Held, ...]
    settings: Mapping
    keep: dict = field(default_factory=dict)
    quantities: list[Quantity] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def each(self, function: Callable, *args) -> None:
        """`function(bench, held, *args)` for each row; one that fails leaves its reason alone.

        Parameters
        ----------
        function : callable
        *args
            Further arguments of it.
        """
        for held in self.held:
            try:
                function(self, held, *args)
            except Exception as error:  # whatever an odd file leads to: one row's reason
                self.say(held, reason(error))

    def make(
        self, held: Held | Sequence[Held], name: str, unit: str, function: Callable, *of, **more
    ) -> Quantity:
        """`derive` with the row's sample, state, digest, kind and doubt; the quantity is kept.

        Parameters
        ----------
        held : Held or sequence of Held
            Rows it is from; sample, state and place are those of the first.
        name, unit : str
        function : callable
            As in `derive`.
        *of : Estimates or Quantity
        **more
            Further arguments of `derive`: gates, note, standard errors by cause in `unit`.

        Returns
        -------
        Quantity
        """
        rows = (held,) if isinstance(held, Held) else tuple(held)
        first = rows[0].row
        made = derive(
            name,
            unit,
            function,
            *of,
            sample=self.sample,
            state=self._state([h.row for h in rows]),
            kind=kind_of(*(h.row.path for h in rows)),
            inputs=tuple(h.digest for h in rows),
            where=first.label,
            **more,
        )
        doubts = [
            Finding("assumed", "doubtful", h.row.doubt, h.row.label) for h in rows if h.row.doubt
        ]
        made = with_findings(made, *doubts)
        self.quantities.append(made)
        return made

    def withheld(self, held: Held, name: str, unit: str, *findings: Finding) -> None:
        """A number that cannot be given, with the reason.

        Parameters
        ----------
        held : Held
        name, unit : str
        *findings : Finding
            Of status withheld.
        """
        self.quantities.append(
            Quantity(
                name, self.sample, None, {}, unit, kind_of(held.row.path), findings,
                state=self._state([held.row]), inputs=(held.digest,),
            )
        )  # fmt: skip

    def _state(self, rows: Sequence[Row]) -> str:
        return state_of(rows, [h.row for h in self.held])

    def doubt(self, since: int, *findings: Finding) -> None:
        """More findings for the quantities made since that place.

        Parameters
        ----------
        since : int
            Length of `quantities` before they were made.
        *findings : Finding
        """
        self.quantities[since:] = [with_findings(q, *findings) for q in self.quantities[since:]]

    def nothing(self, held: Held, name: str, unit: str, gate: str, reason: str) -> None:
        """`withheld` by one reason.

        Parameters
        ----------
        held : Held
        name, unit : str
        gate : str
            Of the finding: "signal", "determined", "described".
        reason : str
        """
        self.withheld(held, name, unit, Finding(gate, "withheld", reason, held.row.label))

    def say(self, held: Held, text: str) -> None:
        """A remark of the report.

        Parameters
        ----------
        held : Held
            Row that the remark names.
        text : str
        """
        self.problems.append(Problem(held.row.label, text))


def with_findings(quantity: Quantity, *findings: Finding) -> Quantity:
    """The quantity with more findings.

    Parameters
    ----------
    quantity : Quantity
    *findings : Finding

    Returns
    -------
    Quantity
        A copy; the same one where there are no findings.
    """
    return replace(quantity, findings=(*quantity.findings, *findings)) if findings else quantity


def asked(column: str, where: str) -> Finding:
    """The finding that asks for a column of the sheet.

    Parameters
    ----------
    column : str
    where : str
        Row that lacks it.

    Returns
    -------
    Finding
        Of status withheld.
    """
    return assumed(column, where=where).findings[0]


def saturated(x, y, where: str, unit: str = "counts") -> tuple[Finding, ...]:
    """What the gate of conditioning says of counts at a ceiling; nothing for a sound signal.

    Parameters
    ----------
    x, y : array, shape (n,)
    where : str
        Label of the row.
    unit : str
        Of `y`.

    Returns
    -------
    tuple of Finding
        Empty also where the points make no signal.
    """
    try:
        return saturation(Signal(x, y, axis_unit="", unit=unit, source=where), {})[2]
    except ConditioningError:
        return ()


def estimates(names: Sequence[str], values, units: Sequence[str], errors, **more) -> Estimates:
    """Estimates from standard errors (p,) or a covariance (p, p).

    Parameters
    ----------
    names, units : sequence of str, length p
    values : array, shape (p,)
    errors : array, shape (p,) or (p, p)
    **more
        Further arguments of `from_normal`.

    Returns
    -------
    Estimates

    Raises
    ------
    LinAlgError
        For an error of zero or a singular covariance.
    ValueError
        If a name occurs twice or lengths differ.
    """
    errors = np.asarray(errors, float)
    covariance = np.diag(errors**2) if errors.ndim == 1 else errors
    return from_normal(names, values, units, np.linalg.inv(covariance), **more)
