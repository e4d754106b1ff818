"""A permanent matrix of laboratory folders: missing cells × zero time × late start × few delays ×
one to five lifetimes × scans, through `analyse`.

A sample of the matrix is in every run of the tests; all of it with PELED_MATRIX=full.
"""

import itertools
import os
from dataclasses import replace

import numpy as np
import pytest

from peled.samples import read_sheet
from peled.transient_absorption import analyse
from peled.transient_absorption.matrices import find_rise
from test_transient_absorption_trust import film, holes
from writers import write_matrix

TRUE = {
    1: (14.0,),
    2: (1.5, 120.0),
    3: (0.4, 14.0, 280.0),
    4: (0.4, 5.0, 60.0, 700.0),
    5: (0.3, 2.0, 14.0, 90.0, 700.0),
}
WAVELENGTH = np.linspace(480, 720, 24)
MANY = np.r_[np.arange(-1.5, 3, 0.08), np.geomspace(3, 1500, 45)]
FEW = np.r_[-2, -1, -0.5, -0.2, 0, 0.1, 0.2, 0.35, 0.5, 0.8, np.geomspace(1.2, 1500, 14)]
AXES = {
    "missing": (0.0, 0.03),
    "zero": (0.0, -8.0, 0.4),
    "late": (False, True),
    "delays": ("many", "few"),
    "number": (1, 2, 3, 4, 5),
    "scans": (1, 3, 7),
}
CASES = [dict(zip(AXES, case, strict=True)) for case in itertools.product(*AXES.values())]


def folders():
    """All cases in folders of twenty; or ten, in which every pair of values of two axes is likely
    to meet."""
    order = np.random.default_rng(3).permutation(len(CASES))
    whole = os.environ.get("PELED_MATRIX") == "full"
    return order.reshape(-1, 20) if whole else [order[:10]]


def written(folder, name, case, seed):
    """The files of one set, and its lines of the sheet."""
    taus = TRUE[case["number"]]
    centres = np.linspace(510, 690, len(taus))
    bands = [((-1.0) ** i, tau, c) for i, (tau, c) in enumerate(zip(taus, centres, strict=True))]
    delays = (MANY if case["delays"] == "many" else FEW) + case["zero"]
    if case["late"]:
        delays = delays[delays > case["zero"] + 0.4]
    lines = []
    for scan in range(1, case["scans"] + 1):
        m = film(delays, WAVELENGTH, bands, case["zero"], (-0.3, 0.1), seed=100 * seed + scan)
        if case["missing"]:
            m = holes(m, case["missing"], seed=100 * seed + scan)
        file = f"{name}_{scan}.csv"
        write_matrix(folder / file, m.delay_ps, m.wavelength_nm, m.signal, digits=7)
        lines.append(f"{name},ta,{file},{scan if case['scans'] > 1 else ''},OD")
    return lines


@pytest.fixture(scope="module", params=folders(), ids=lambda found: f"from s{found[0]} on")
def laboratory(request, tmp_path_factory):
    """Sets by name, and the report of the folder that they are in."""
    folder = tmp_path_factory.mktemp("matrix")
    cases = {f"s{i}": CASES[number] for i, number in enumerate(request.param)}
    lines = ["sample,measurement,file,scan,signal_unit"]
    for i, (name, case) in enumerate(cases.items()):
        lines += written(folder, name, case, i)
    (folder / "samples.csv").write_text("\n".join(lines) + "\n")
    sheet = read_sheet(folder, "transient_absorption", sniff=analyse.sniff)
    return cases, analyse.analyse(sheet, {"artefact": 0})


def test_every_set_gives_numbers_or_says_why_not(laboratory):
    cases, report = laboratory
    assert set(report.samples) == set(cases)
    silent = [
        (name, cases[name])
        for name in cases
        if not [q for q in report.select(sample=name) if q.value is not None]
        and not any(name in str(p) for p in report.problems)
        and not any(q.reasons for q in report.select(sample=name))
    ]
    assert not silent


def test_no_quoted_lifetime_is_wrong(laboratory):
    """One in twenty may be off by two errors; none by five, whatever the folder lacks."""
    cases, report = laboratory
    off, wrong = [], []
    for name, case in cases.items():
        found = [q for q in report.select(sample=name) if q.name.startswith("lifetime")]
        right = np.log(TRUE[case["number"]])
        for q in found:
            if q.value is None:
                continue
            z = np.abs(np.log(q.value) - right).min() * q.value / q.standard_error
            off.append(z)
            if z > 5:
                wrong.append((name, case, [str(q) for q in found]))
    assert not wrong
    assert len(off) > 1.2 * len(cases) and np.mean(np.array(off) > 2) < 0.15


def test_the_number_of_lifetimes_where_the_data_tell_it(laboratory):
    cases, report = laboratory
    for name, case in cases.items():
        (one,) = report.found[name].values()
        most = case["number"] - (TRUE[case["number"]][0] < 0.5 and case["late"])
        assert one.fit.model.components <= case["number"] + 1
        if case["delays"] == "many" and case["number"] <= 3:
            assert one.fit.model.components >= most or one.components.at_least, case


@pytest.mark.parametrize("number", TRUE)
def test_a_plateau_between_decays_is_no_rise(number):
    """However good the data: delays that begin after the rise have none, all others have one."""
    centres = np.linspace(510, 690, number)
    cases = itertools.product((MANY, FEW), (1e-4, 1e-5), (0.3, 0.8, 3.0, None), (-1.0, 1.0))
    for delays, sigma, start, sign in cases:
        bands = [
            (sign**i, tau, c) for i, (tau, c) in enumerate(zip(TRUE[number], centres, strict=True))
        ]
        seen = delays if start is None else delays[delays > start]
        found = find_rise(film(seen, WAVELENGTH, bands, 0.0, (-0.3, 0.1), seed=3, sigma=sigma))
        assert (found.seen, found.late) == (start is None, start is not None), (sigma, start, sign)
        if start is None:
            assert -0.6 < np.nanmedian(found.onset_ps) < 0.25


@pytest.mark.parametrize("zero", (0.0, -8.0))
def test_a_rise_is_found_over_a_fixed_pattern_far_higher_than_it(zero):
    bands = [((-1.0) ** i, tau, c) for i, (tau, c) in enumerate(zip(TRUE[2], (550, 650)))]
    delays = np.r_[np.arange(zero - 6, zero + 8, 0.2), zero + np.geomspace(8, 50, 20)]
    plain = film(delays, WAVELENGTH, bands, zero, (-0.3, 0.1), seed=3)
    pattern = 0.2 * np.random.default_rng(0).standard_normal(WAVELENGTH.size)
    found = find_rise(replace(plain, signal=plain.signal + pattern))
    assert found.seen and not found.late
    assert np.abs(found.onset_ps - find_rise(plain).onset_ps).max() <= 0.41  # two delays
    late = plain.take(delays > zero + 0.3)
    found = find_rise(replace(late, signal=late.signal + pattern))
    assert found.late and not found.seen
