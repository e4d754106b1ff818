"""What every signal goes through before an analysis sees it.

A plan is a list of steps with settings, made from the sheet's row, printable and editable;
`condition` takes them one by one and keeps of each what it did, in a sentence with numbers, and
the signal before it. What a step may have got wrong goes on as modes of error (`Signal`), which
`propagate` and `ratio` turn into the error of a number, by cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from peled.conditioning.detection import find_band, scatter_findings, with_scatter
from peled.conditioning.noise import Noise, detector_noise, estimate_noise
from peled.conditioning.propagation import Ratio, covariance, propagate, ratio
from peled.conditioning.signal import ConditioningError, Plan, Signal, Step
from peled.conditioning.steps import STEPS

__all__ = [
    "ConditioningError",
    "Noise",
    "Plan",
    "Ratio",
    "Signal",
    "Step",
    "condition",
    "covariance",
    "detector_noise",
    "draw",
    "estimate_noise",
    "find_band",
    "plan",
    "propagate",
    "ratio",
    "scatter_findings",
    "with_scatter",
]


def plan(signal: Signal, row: Mapping[str, Any]) -> Plan:
    """The steps for a signal, from the settings of its row of the sample sheet.

    Parameters
    ----------
    signal : Signal
        As it was read.
    row : mapping
        Settings of its row: `measurement`, `integration_ms` (ms), `filter_transmission` (0 to 1),
        `excitation_nm` (nm), `baseline_nm` (low, high), `value_unit`.

    Returns
    -------
    list of (name, options)
        Steps in their order.

    Examples
    --------
    >>> s = Signal(np.linspace(380, 780, 400), np.zeros((1, 400)))
    >>> for step in plan(s, {"measurement": "el", "integration_ms": 20}):
    ...     print(*step)
    axis {}
    saturation {}
    missing {}
    dark {}
    scale {'integration_ms': 20.0}
    cosmic {}
    mask {'room_light': True}
    baseline {'order': 1}
    signal {}
    whole {}
    """
    number = {
        name: float(row[name])
        for name in ("integration_ms", "filter_transmission", "excitation_nm")
        if row.get(name) not in (None, "")
    }
    if row.get("measurement") == "absorption":
        unit = row.get("value_unit")
        return [
            ("axis", {}),
            ("noise", {}),
            ("absorbance", {"unit": unit} if unit else {}),
        ]
    laser = {k: v for k, v in number.items() if k == "excitation_nm"}
    scales = {k: v for k, v in number.items() if k != "excitation_nm"}
    steps = [("axis", {}), ("saturation", {}), ("missing", {}), ("dark", {})]
    steps += [("scale", scales)] if scales else []
    steps += [("cosmic", laser), ("mask", laser | {"room_light": True})]
    baseline: dict[str, Any] = {"order": 1}
    if row.get("baseline_nm"):
        baseline["region_nm"] = tuple(row["baseline_nm"])
    return [*steps, ("baseline", baseline), ("signal", {}), ("whole", {})]


def condition(signal: Signal, plan: Plan, companions: Mapping[str, Signal] = {}) -> Signal:
    """The signal after the steps of a plan, with what each did and found.

    Parameters
    ----------
    signal : Signal
    plan : sequence of (name, settings)
    companions : mapping of str to Signal
        "dark": spectra without light, subtracted as their mean.

    Returns
    -------
    Signal
        Its `steps` and `findings` are added to.

    Raises
    ------
    ConditioningError
        A step that does not exist or cannot be done, with what was expected and found.
    """
    for name, settings in plan:
        if name not in STEPS:
            raise ConditioningError(f"plan: expected one of {', '.join(STEPS)}, found {name!r}")
        after, sentence, findings = STEPS[name](signal, companions, **settings)
        signal = replace(
            after,
            steps=(*signal.steps, Step(name, dict(settings), signal, sentence)),
            findings=(*signal.findings, *findings),
        )
    return signal


def draw(signal: Signal, axes, row: int = 0) -> None:
    """Spectrum `row` before and after each step that changed it, on as many `axes` as there are
    such steps.

    Parameters
    ----------
    signal : Signal
        Conditioned.
    axes : sequence of matplotlib Axes
        At least `len(changes(signal))`; the rest are left empty.
    row : int
    """
    for ax, (step, after) in zip(axes, changes(signal)):
        before = step.before
        ax.plot(before.axis, before.values[row], lw=0.8, color="0.6", label="before")
        ax.plot(after.axis, after.values[row], lw=0.8, color="C0", label="after")
        lost = ~after.good[row] & np.isfinite(after.values[row])
        ax.plot(after.axis[lost], after.values[row, lost], "r.", ms=3, label="replaced")
        ax.set_title(step.name)
        ax.set_xlabel(
            f"Wavelength ({after.axis_unit})" if after.axis_unit == "nm" else after.axis_unit
        )
        ax.set_ylabel(after.unit)
    if len(axes):
        axes[0].legend()


def changes(signal: Signal) -> list[tuple[Step, Signal]]:
    """The steps that changed the values, each with the signal after it.

    Parameters
    ----------
    signal : Signal
        Conditioned.

    Returns
    -------
    list of (Step, Signal)
        In the order of the steps.
    """
    after = [*(step.before for step in signal.steps[1:]), signal]
    return [
        (step, new)
        for step, new in zip(signal.steps, after)
        if not np.array_equal(step.before.values, new.values, equal_nan=True)
    ]
