"""What stands out in a campaign: outliers within a group, a process that left its limits, trends.

Each is a test at a stated false-alarm rate for normal values; what is flagged is to be looked at,
nothing is removed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FALSE_ALARM = 0.01  # of a group without outliers, of a trend where there is none
FEWEST = 8  # values of a group below which neither outliers nor limits are told
_TO_SD = 1.128  # mean moving range of two normal values over their standard deviation


def outliers(values: Sequence[float]) -> list[int]:
    """Indices of outliers among normal values, by the generalised extreme studentised deviate.

    R_i is the largest deviation from the mean over the standard deviation after i − 1 removals; the
    largest i with R_i > λ_i,

        λ_i = (n − i) t / √((n − i − 1 + t²)(n − i + 1)),  t = t_{1 − α / 2(n − i + 1), n − i − 1}

    with α = `FALSE_ALARM` [1]_, is the number of outliers, so that one does not hide another. At
    most a fifth of the values.

    Parameters
    ----------
    values : sequence of float
        Finite. Fewer than `FEWEST` have no outliers.

    Returns
    -------
    list of int

    References
    ----------
    .. [1] B. Rosner, Technometrics 25, 165 (1983), doi:10.1080/00401706.1983.10487848

    Examples
    --------
    >>> outliers([9.8, 10.1, 10.0, 9.9, 10.2, 10.1, 9.9, 10.0, 14.0, 10.1])
    [8]
    """
    from scipy import stats

    y = np.asarray(values, float)
    left = np.arange(y.size)
    removed, found = [], 0
    if y.size < FEWEST:
        return []
    for i in range(1, max(y.size // 5, 1) + 1):
        mean, sd = y[left].mean(), y[left].std(ddof=1)
        if not sd > 0:
            break
        worst = int(np.argmax(np.abs(y[left] - mean)))
        statistic = abs(y[left[worst]] - mean) / sd
        removed.append(int(left[worst]))
        left = np.delete(left, worst)
        n = y.size
        t = stats.t.isf(FALSE_ALARM / (2 * (n - i + 1)), n - i - 1)
        if statistic > (n - i) * t / np.sqrt((n - i - 1 + t * t) * (n - i + 1)):
            found = i
    return removed[:found]


def limits(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Centre and limits of a control chart for individual values, in the order they were made.

    Mean ± 3 s, with s the mean moving range over 1.128 [1]_: a slow drift does not widen them.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    (float, float, float) or None
        Centre, lower and upper limit; None below `FEWEST` values, or where nothing varies.

    References
    ----------
    .. [1] ISO 7870-2:2023, Control charts, Part 2: Shewhart control charts
    """
    y = np.asarray(values, float)
    if y.size < FEWEST or not (s := float(np.abs(np.diff(y)).mean()) / _TO_SD):
        return None
    return float(y.mean()), float(y.mean()) - 3 * s, float(y.mean()) + 3 * s


def trend(x: Sequence[float], y: Sequence[float]) -> tuple[float, float] | None:
    """Spearman's rank correlation and its two-sided p; None where there is none to be had.

    Parameters
    ----------
    x, y : sequence of float
        Finite, of equal length.

    Returns
    -------
    (float, float) or None
        None below `FEWEST` pairs, or where x or y does not vary.

    References
    ----------
    .. [1] C. Spearman, Am. J. Psychol. 15, 72 (1904), doi:10.2307/1412159
    """
    from scipy import stats

    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.size < FEWEST or not (np.ptp(x) and np.ptp(y)):
        return None
    found = stats.spearmanr(x, y)
    return float(found.statistic), float(found.pvalue)
