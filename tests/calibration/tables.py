"""What came of the draws: a row a quantity and condition, and a row a gate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from scipy import stats
from scipy.special import ndtri

from calibration import Condition
from peled.quantities.quantity import GateName

NAMES = get_args(GateName)
LEVELS = (0.50, 0.68, 0.95)
#: Where the share of 95 % intervals that hold the truth has to lie.
FROM, TO = 0.93, 0.97
COVERAGE = (
    "topic", "quantity", "unit", "kind", "level", "n", "reported", "doubtful", "withheld",
    *(f"{what}_{level:.0%}".rstrip("%") for level in LEVELS for what in ("inside", "low", "high")),
    "bias", "bias_error", "spread", "covers",
)  # fmt: skip
GATES = ("topic", "quantity", "gate", "meant", "conditions", "n", "wrong", "share", "low", "high")


def wilson(count: int, n: int) -> tuple[float, float]:
    """95 % interval of a share.

    References
    ----------
    .. [1] E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi:10.1080/01621459.1927.10502953
    """
    found = stats.binomtest(count, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class Outcome:
    """One quantity of `n` files under one condition: its rows, the true values by sample."""

    condition: Condition
    quantity: str
    n: int
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    truth: Mapping[str, float] = field(repr=False)

    @property
    def quoted(self) -> list[Mapping[str, Any]]:
        """Rows with an interval and nothing against it."""
        return [r for r in self.rows if r["status"] == "reported" and r["relation"] == "="]

    @property
    def deviations(self) -> np.ndarray:
        """(value − truth) / (half of the 95 % interval on that side / 1.96) of what is quoted;
        infinite where there is no true value.
        """
        out = []
        for row in self.quoted:
            off = row["value"] - self.truth.get(row["sample"], np.inf)
            side = row["value"] - row["low_95"] if off > 0 else row["high_95"] - row["value"]
            out.append(off / side * ndtri(0.975))
        return np.array(out)


def coverage_row(topic: str, one: Outcome) -> dict[str, Any]:
    """One quantity under one condition.

    An interval of 50 or 68 % is that of 95 % with both sides scaled as a normal distribution's;
    numbers that are doubtful count apart, limits and withheld ones have no interval.
    """
    z, doubtful = one.deviations, sum(row["status"] == "doubtful" for row in one.rows)
    made = {
        "topic": topic, "quantity": one.quantity, "kind": one.condition.kind,
        "level": one.condition.level, "n": one.n, "reported": len(z), "doubtful": doubtful,
        "withheld": one.n - len(z) - doubtful, "unit": one.rows[0]["unit"] if one.rows else "",
    }  # fmt: skip
    for level in LEVELS if len(z) else ():
        count = int(np.sum(np.abs(z) <= ndtri(0.5 + level / 2)))
        name = f"{level:.0%}".rstrip("%")
        made[f"inside_{name}"] = count / len(z)
        made[f"low_{name}"], made[f"high_{name}"] = wilson(count, len(z))
    if len(z) > 1:
        made |= {"bias": z.mean(), "bias_error": z.std(ddof=1) / np.sqrt(len(z)),
                 "spread": z.std(ddof=1)}  # fmt: skip
    return made | {"covers": label(made)}


def label(row: Mapping[str, Any]) -> str:
    """What an interval called 95 % covers, where that is not 93 to 97 %.

    Few draws cannot tell 97 from 100 %; that far more than 68 % of intervals of 68 % hold the truth
    they can.
    """
    if "inside_95" not in row:
        return "no number"
    if row["low_68"] > 0.75 and row["inside_95"] > TO:
        return "over 97 %"
    if row["high_95"] < FROM or row["low_95"] > TO:
        return f"{row['inside_95']:.0%}".replace("%", " %")
    return "95 %"


def gate_rows(topic: str, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """False alarms of each gate over sound files; of files that are not, numbers reported that are
    wrong by more than three standard errors, or of what is not there.
    """
    alarms: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for one in outcomes:
        if one.condition.meant == "quiet":
            acted = {gate: sum(gate in json.loads(r["note"]) for r in one.rows) for gate in NAMES}
            acted["no row"] = max(one.n - len(one.rows), 0)  # some files have more
            for gate, count in acted.items():
                found = (one.condition.name, count, one.n)
                alarms.setdefault((one.quantity, gate), []).append(found)
    made = []
    for (quantity, gate), found in alarms.items():
        wrong, n = sum(f[1] for f in found), sum(f[2] for f in found)
        where = "; ".join(f"{name}: {count}" for name, count, _ in found if count)
        made.append(_share(topic, quantity, gate, "quiet", where, wrong, n))
    for one in outcomes:
        if one.condition.meant == "act" and one.quantity in one.condition.on:
            wrong, where = int(np.sum(np.abs(one.deviations) > 3)), one.condition.name
            made.append(_share(topic, one.quantity, "any", "act", where, wrong, one.n))
    return made


def _share(topic, quantity, gate, meant, where, wrong: int, n: int) -> dict:
    low, high = wilson(wrong, n)
    values = (topic, quantity, gate, meant, where, n, wrong, wrong / n, low, high)
    return dict(zip(GATES, values))
