"""Groups of samples: what laboratories publish of control against treated.

A sample counts once: several numbers of one name and state (forward and backward, replicates) enter
as their mean, as they are no independent devices. Withheld numbers and limits are counted and left
out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.special import ndtri

from peled.quantities import Quantity, shown

Test = Literal["Welch", "Mann-Whitney"]

#: Below this many samples a group has a number of samples and nothing else.
FEWEST = 3


@dataclass(frozen=True)
class Summary:
    """One quantity over the samples of one group.

    `n` samples have a value; `withheld`, `limits` and `doubtful` count samples, the last among the
    n. `median`, `mean`, `standard_deviation` (n − 1), `lowest` and `highest` are None below three.
    """

    name: str
    state: str
    unit: str
    group: str
    values: Mapping[str, float] = field(repr=False)
    withheld: int = 0
    limits: int = 0
    doubtful: int = 0

    @property
    def n(self) -> int:
        return len(self.values)

    def _of(self, statistic) -> float | None:
        return float(statistic(list(self.values.values()))) if self.n >= FEWEST else None

    @property
    def median(self) -> float | None:
        return self._of(np.median)

    @property
    def mean(self) -> float | None:
        return self._of(np.mean)

    @property
    def standard_deviation(self) -> float | None:
        return self._of(lambda v: np.std(v, ddof=1))

    @property
    def lowest(self) -> float | None:
        return self._of(min)

    @property
    def highest(self) -> float | None:
        return self._of(max)


@dataclass(frozen=True)
class Comparison:
    """One group against the reference.

    Attributes
    ----------
    test : str
        Welch (difference of means) or Mann-Whitney (Hodges-Lehmann shift).
    n_reference, n_group : int
    p : float
        Two-sided. `adjusted` is Holm's over all comparisons of this quantity.
    effect : float
        Group less reference, in the unit of the quantity.
    interval : (float, float)
        95 %, of the same test; infinite where so few samples cannot give 95 %.
    """

    name: str
    state: str
    unit: str
    reference: str
    group: str
    test: Test
    n_reference: int
    n_group: int
    p: float
    adjusted: float
    effect: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        p = f"p = {self.p:.2g}"
        if self.adjusted != self.p:
            p += f" (Holm: {self.adjusted:.2g})"
        low, high = self.interval
        return (
            f"{self.name}{f' ({self.state})' if self.state else ''}, {self.group} − "
            f"{self.reference}: {self.effect:.3g} {shown(self.unit)}".rstrip()
            + f" (95 %: {low:.3g} to {high:.3g}), {self.test}, {p}, "
            f"n = {self.n_group} and {self.n_reference}"
        )


def summarise(quantities: Iterable[Quantity], groups: Mapping[str, str]) -> tuple[Summary, ...]:
    """One summary a quantity, state and group; samples without a group take no part.

    Parameters
    ----------
    quantities : iterable of Quantity
    groups : mapping of sample to group
        In the order in which groups shall stand.

    Returns
    -------
    tuple of Summary

    References
    ----------
    .. [1] JCGM 100:2008, section 4.2, doi:10.59161/JCGM100-2008E
    """
    order = list(dict.fromkeys(g for g in groups.values() if g))
    mine: dict[tuple, dict[str, list[Quantity]]] = {}
    for q in quantities:
        if group := groups.get(q.sample):
            key = (q.name, q.state, q.unit, group)
            mine.setdefault(key, {}).setdefault(q.sample, []).append(q)
    heads = list(dict.fromkeys(key[:3] for key in mine))
    keys = sorted(mine, key=lambda k: (heads.index(k[:3]), order.index(k[3])))
    return tuple(_summary(key, mine[key]) for key in keys)


def _summary(key: tuple, samples: Mapping[str, Sequence[Quantity]]) -> Summary:
    values, counts = {}, {"withheld": 0, "limits": 0, "doubtful": 0}
    for sample, several in samples.items():
        usable = [q for q in several if q.value is not None and q.relation == "="]
        if usable:
            values[sample] = float(np.mean([q.value for q in usable]))
            counts["doubtful"] += any(q.status == "doubtful" for q in usable)
        else:
            counts["limits" if any(q.value is not None for q in several) else "withheld"] += 1
    return Summary(*key, values, **counts)


def compare(summaries: Iterable[Summary], test: Test = "Welch") -> tuple[Comparison, ...]:
    """Every group against the reference: the group called control, else the first.

    Parameters
    ----------
    summaries : iterable of Summary
    test : "Welch" or "Mann-Whitney"
        Chosen before the data are seen. Welch's needs no equal variances and is sound for the mean
        of about normal values [1]_; Mann-Whitney's asks for nothing but cannot reach p < 0.05 below
        four samples a group [2]_, with the shift of Hodges and Lehmann [3]_.

    Returns
    -------
    tuple of Comparison
        With p values adjusted by Holm [4]_ over the groups of one quantity. Groups of fewer than
        three samples, and such without any spread, are not compared.

    References
    ----------
    .. [1] B. L. Welch, Biometrika 34, 28 (1947), doi:10.1093/biomet/34.1-2.28
    .. [2] H. B. Mann, D. R. Whitney, Ann. Math. Stat. 18, 50 (1947), doi:10.1214/aoms/1177730491
    .. [3] J. L. Hodges, E. L. Lehmann, Ann. Math. Stat. 34, 598 (1963), doi:10.1214/aoms/1177704172
    .. [4] S. Holm, Scand. J. Stat. 6, 65 (1979), https://www.jstor.org/stable/4615733
    """
    made: list[Comparison] = []
    for _, found in itertools.groupby(summaries, key=lambda s: (s.name, s.state, s.unit)):
        family = [s for s in found if s.n >= FEWEST]
        family.sort(key=lambda s: s.group.casefold() != "control")
        raw = [(s, _tested(family[0], s, test)) for s in family[1:]]
        raw = [(s, r) for s, r in raw if np.isfinite(r[0])]
        adjusted = _holm([r[0] for _, r in raw])
        made += [
            Comparison(
                s.name, s.state, s.unit, family[0].group, s.group, test, family[0].n, s.n,
                r[0], a, r[1], r[2],
            )
            for (s, r), a in zip(raw, adjusted)
        ]  # fmt: skip
    return tuple(made)


def _holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given.

    >>> _holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    scaled = np.asarray(p, float)[order] * (len(p) - np.arange(len(p)))
    out = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return out.tolist()


def _tested(reference: Summary, group: Summary, test: Test):
    from scipy import stats  # a second to import

    a, b = (np.array(list(s.values.values())) for s in (reference, group))
    if test == "Welch":
        if not (np.ptp(a) or np.ptp(b)):
            return float("nan"), 0.0, (0.0, 0.0)
        result = stats.ttest_ind(b, a, equal_var=False)
        ends = result.confidence_interval(0.95)
        return float(result.pvalue), float(b.mean() - a.mean()), (float(ends.low), float(ends.high))
    result = stats.mannwhitneyu(b, a, method="auto")
    shifts = np.sort(np.subtract.outer(b, a).ravel())
    outside = _outside(len(a), len(b))
    ends = (float("-inf"), float("inf"))
    if outside:
        ends = (float(shifts[outside - 1]), float(shifts[-outside]))
    return float(result.pvalue), float(np.median(shifts)), ends


def _outside(m: int, n: int) -> int:
    """How many of the m n sorted differences lie outside the interval at either end.

    By the exact distribution of U where the test is exact (scipy: up to 8 in the smaller group):
    arrangements with a given U are coefficients of the Gaussian binomial. 0 where even the widest
    interval does not reach 95 %. By the normal approximation above.
    """
    if min(m, n) > 8:
        reach = -ndtri(0.025) * np.sqrt(m * n * (m + n + 1) / 12)
        return int(np.ceil(m * n / 2 - 0.5 - reach))
    counts = np.zeros(m * n + 1)
    counts[0] = 1.0
    for i in range(1, min(m, n) + 1):  # times (1 − q^(larger + i)), divided by (1 − q^i)
        j = max(m, n) + i
        counts[j:] -= counts[:-j].copy()
        for k in range(i):
            counts[k::i] = np.cumsum(counts[k::i])
    below = np.cumsum(counts) / counts.sum()
    return int(np.searchsorted(below, 0.025, side="right"))
