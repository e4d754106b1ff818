"""What came of the draws: a row a quantity and condition, and a row a gate."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import ndtri

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


def deviations(rows: Iterable[Mapping[str, Any]], truth: Mapping[str, float]) -> np.ndarray:
    """(value − truth) / (half of the 95 % interval on that side / 1.96), (n,); infinite where
    there is no true value."""
    out = []
    for row in rows:
        if row["sample"] not in truth:
            out.append(np.inf)
            continue
        off = row["value"] - truth[row["sample"]]
        side = row["value"] - row["low_95"] if off > 0 else row["high_95"] - row["value"]
        out.append(off / side * ndtri(0.975))
    return np.array(out)


def quoted(rows: Iterable[Mapping[str, Any]]) -> list:
    """Those with an interval and nothing against it."""
    return [row for row in rows if row["status"] == "reported" and row["relation"] == "="]


def coverage_row(common: Mapping[str, Any], rows: list, truth: Mapping[str, float]) -> dict:
    """One quantity under one condition.

    An interval of 50 or 68 % is that of 95 % with both sides scaled as a normal distribution's;
    numbers that are doubtful count apart, limits and withheld ones have no interval.
    """
    states = [row["status"] for row in rows]
    z = deviations(quoted(rows), truth)
    made = {**common, "n": len(rows), **{s: states.count(s) for s in ("doubtful", "withheld")}}
    made["reported"] = len(z)
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
    """What an interval called 95 % covers, where that is not 93 to 97 %."""
    if "inside_95" not in row:
        return "no number"
    if row["high_95"] < FROM or row["low_95"] > TO:
        return f"{row['inside_95']:.0%}".replace("%", " %")
    return "95 %"


def gate_rows(topic: str, outcomes: list[tuple[Any, str, list, Mapping]]) -> list[dict]:
    """False alarms of each gate over sound files; of files that are not, numbers reported that are
    wrong by more than three standard errors, or of what is not there.

    Parameters
    ----------
    outcomes : list of (condition, quantity, rows, truth)
    """
    alarms: dict[tuple[str, str], list] = {}
    for condition, quantity, rows, _ in outcomes:
        if condition.meant == "quiet":
            for gate in ("signal", "possible", "determined", "described", "undamaged", "assumed"):
                acted = sum(gate in json.loads(row["note"]) for row in rows)
                alarms.setdefault((quantity, gate), []).append((condition, acted, len(rows)))
    made = []
    for (quantity, gate), found in alarms.items():
        wrong, n = sum(f[1] for f in found), sum(f[2] for f in found)
        where = "; ".join(f"{c.name}: {k}" for c, k, _ in found if k) or "all sound files"
        made.append(_share(topic, quantity, gate, "quiet", where, wrong, n))
    for condition, quantity, rows, truth in outcomes:
        if condition.meant == "act" and quantity in condition.on:
            wrong = int(np.sum(np.abs(deviations(quoted(rows), truth)) > 3))
            made.append(_share(topic, quantity, "any", "act", condition.name, wrong, len(rows)))
    return made


def _share(topic, quantity, gate, meant, where, wrong: int, n: int) -> dict:
    low, high = wilson(wrong, n)
    values = (topic, quantity, gate, meant, where, n, wrong, wrong / n, low, high)
    return dict(zip(GATES, values))
