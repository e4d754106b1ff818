"""Quadrature for integrands over the effective index: a contour under the poles, and panels that
refine themselves."""

from __future__ import annotations

import numpy as np

# Gauss-Kronrod pair of 10 and 21 points (Piessens et al., QUADPACK, 1983)
_KRONROD = np.array(
    [
        0.995657163025808080735527280689003,
        0.973906528517171720077964012084452,
        0.930157491355708226001207180059508,
        0.865063366688984510732096688423493,
        0.780817726586416897063717578345042,
        0.679409568299024406234327365114874,
        0.562757134668604683339000099272694,
        0.433395394129247190799265943165784,
        0.294392862701460198131126603103866,
        0.14887433898163121088482600112972,
        0.0,
    ]
)
_WEIGHTS = np.array(
    [
        0.011694638867371874278064396062192,
        0.03255816230796472747881897245939,
        0.05475589657435199603138130024458,
        0.07503967481091995276704314091619,
        0.093125454583697605535065465083366,
        0.109387158802297641899210590325805,
        0.123491976262065851077958109585166,
        0.134709217311473325928054001771707,
        0.142775938577060080797094273138717,
        0.147739104901338491374841515972068,
        0.149445554002916905664936468389821,
    ]
)
_GAUSS = np.array(
    [
        0.066671344308688137593568809893332,
        0.149451349150580593145863396957658,
        0.219086362515982043995534934228163,
        0.269266719309996355091226921569469,
        0.295524224714752870173815619188769,
    ]
)
NODES = np.concatenate([-_KRONROD, _KRONROD[-2::-1]])
KRONROD = np.concatenate([_WEIGHTS, _WEIGHTS[-2::-1]])
GAUSS = np.zeros(21)
GAUSS[1::2] = np.concatenate([_GAUSS, _GAUSS[::-1]])


#: Nodes of the first answer on a contour, and how often their number is doubled at most.
FIRST, DOUBLED = 24, 5
HALVED = 13  #: how often a panel is halved at most


def integrate_contour(function, ranges, tolerance):
    """Integrals of an analytic function along half ellipses below the real axis; real parts.

    Nodes are Gauss's in a variable that is flat at both ends, where branch points lie; their number
    doubles until two answers agree.

    Parameters
    ----------
    function : callable
        Takes (m,) complex and returns (..., m).
    ranges : sequence of float
        Ends of the ranges on the real axis, rising.
    tolerance : float
        Times the sum of all magnitudes.

    Returns
    -------
    array (..., ranges, rest)
        The ranges after the first axis.
    """
    low, high = np.array(ranges[:-1])[:, None], np.array(ranges[1:])[:, None]
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    dip = np.minimum(half, 0.3)
    last, count = None, FIRST
    for _ in range(DOUBLED + 1):
        t, w = np.polynomial.legendre.leggauss(count)
        s = 0.5 * (t + 1)
        phi, dphi = (
            np.pi * s**3 * (10 - 15 * s + 6 * s * s),
            np.pi * 30 * (s * (1 - s)) ** 2 * 0.5 * w,
        )
        points = middle - half * np.cos(phi) - 1j * dip * np.sin(phi)
        steps = (half * np.sin(phi) - 1j * dip * np.cos(phi)) * dphi
        values = function(points.ravel()) * steps.ravel()
        values = values.reshape(*values.shape[:-1], len(low), count).sum(axis=-1).real
        if (
            last is not None
            and np.abs(values - last).max() <= tolerance * np.abs(values).sum(axis=(0, -1)).max()
        ):
            break
        last, count = values, 2 * count
    return np.moveaxis(values, -1, 1)


def integrate_panels(function, edges, tolerance):
    """Integral of a real function over all edges, halving panels until each is good.

    Gauss and Kronrod's 10 and 21 nodes; near each edge x goes as the square of the variable, so
    that roots and inverse roots there are smooth.

    Parameters
    ----------
    function : callable
        Takes (m,) and returns (..., m).
    edges : sequence of float
    tolerance : float
        Absolute, for the largest component.

    Returns
    -------
    array (...)

    Examples
    --------
    >>> float(integrate_panels(np.sqrt, [0.0, 1.0], 1e-12).round(12))
    0.666666666667
    """
    edges = np.asarray(edges, float)
    edges = edges[np.concatenate([[True], np.diff(edges) > 0])]
    if len(edges) < 2:
        probe = function(np.array([0.5 * edges[0] + 1e-3]))
        return np.zeros(probe.shape[:-1])
    start, width = edges[:-1], np.diff(edges)
    # panels live in (piece, a, b) of the piece's own variable, 0..1
    pieces, a, b = np.arange(len(width)), np.zeros(len(width)), np.ones(len(width))
    total = 0.0
    for turn in range(HALVED + 1):
        centre, half = 0.5 * (a + b), 0.5 * (b - a)
        v = centre[:, None] + half[:, None] * NODES
        x = start[pieces][:, None] + width[pieces][:, None] * np.sin(0.5 * np.pi * v) ** 2
        measure = width[pieces][:, None] * 0.5 * np.pi * np.sin(np.pi * v) * half[:, None]
        values = function(x.ravel()) * measure.ravel()
        values = values.reshape(*values.shape[:-1], len(a), 21)
        best, rough = (
            values @ KRONROD,
            np.abs(values @ (KRONROD - GAUSS)).reshape(-1, len(a)).max(axis=0),
        )
        size = (np.abs(values) @ KRONROD).reshape(-1, len(a)).max(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.where(size > 0, size * np.minimum(1.0, (200 * rough / size) ** 1.5), 0.0)
        good = (error <= tolerance * np.sqrt(half)) | (turn == HALVED)
        total = total + best[..., good].sum(axis=-1)
        if good.all():
            break
        pieces, a, b = np.repeat(pieces[~good], 2), a[~good], b[~good]
        middle = 0.5 * (a + b)
        a, b = np.stack([a, middle], axis=1).ravel(), np.stack([middle, b], axis=1).ravel()
    return total
