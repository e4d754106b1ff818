"""Preparation of measured matrices, the forward model, and the way from a folder of files to
fits."""

from dataclasses import replace

import numpy as np
import pytest

from hassan2021.simulate import transient_absorption as simulate
from ledger.files import ROOT, MissingDataError
from peled.formats.tas import read_tas
from peled.transient_absorption import Model, global_fit, matrix, preprocess, workflow
from peled.transient_absorption.irf import FWHM_PER_SIGMA, gaussian_decay
from writers import write_glotaran, write_matrix

DATA = ROOT / "data" / "transient_absorption"
DELAYS = np.unique(np.round(np.r_[np.arange(-3, 3, 0.05), np.geomspace(3, 800, 40)], 6))
WAVELENGTH = np.linspace(480, 720, 120)


def chirped(total_ps, noise=0.05, seed=0, quiet_red=False):
    """A set whose zero time runs over `total_ps` as 1/λ²; returns it with its true t0(λ)."""
    q = 1e6 / WAVELENGTH**2
    t0 = 0.3 + total_ps * (q - q[-1]) / (q[0] - q[-1])
    s = 0.1 / FWHM_PER_SIGMA
    x = DELAYS[:, None] - t0
    a = 8 * np.exp(-0.5 * ((WAVELENGTH - 560) / 40) ** 2)
    b = -6 * np.exp(-0.5 * ((WAVELENGTH - 620) / 50) ** 2)
    if not quiet_red:
        b = b - 1.0
    d = gaussian_decay(x, 1 / 0.8, s) * a + gaussian_decay(x, 1 / 60, s) * b
    return matrix(
        DELAYS, WAVELENGTH, d + noise * np.random.default_rng(seed).standard_normal(d.shape)
    ), t0


# ---- preparation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [0.0, 0.7, 2.4])
def test_chirp_is_found_and_fitted(total):
    m, t0 = chirped(total)
    chirp = preprocess.find_chirp(m, order=2, fwhm_ps=0.1, window_ps=4.0)
    assert np.max(np.abs(chirp(WAVELENGTH) - t0)) < 0.06
    model, found = workflow.start_model(
        m, lifetimes_ps=(1.0, 30.0), fwhm_ps=0.12, dispersion_order=2, artefact=0
    )
    fit = global_fit(m, model)
    assert found is not None and np.max(np.abs(workflow.fitted_chirp(fit)(WAVELENGTH) - t0)) < 0.01
    assert np.allclose(fit.lifetimes_ps, [0.8, 60.0], rtol=0.02)
    flat = workflow.without_chirp(m, fit)
    assert np.isfinite(flat.signal).all()
    again = global_fit(flat, replace(model, dispersion=(), t0_ps=None))
    assert np.allclose(again.lifetimes_ps, [0.8, 60.0], rtol=0.05)


def test_start_without_any_rise_has_no_dispersion():
    m = matrix(DELAYS, WAVELENGTH[:20], np.random.default_rng(0).standard_normal((len(DELAYS), 20)))
    model, chirp = workflow.start_model(
        m, lifetimes_ps=(1.0,), fwhm_ps=0.1, dispersion_order=2, artefact=0
    )
    assert chirp is None and model.dispersion == ()


def test_background_scatter_and_spikes():
    m, _ = chirped(0.5)
    rng = np.random.default_rng(1)
    signal = m.signal + np.linspace(0, 3, 120)
    signal[:, 40:44] += 5 * rng.standard_normal((len(DELAYS), 1))
    signal[100, 90] += 40.0
    dirty = replace(m, signal=signal)
    ((low, high),) = preprocess.find_scatter(dirty)
    assert low == pytest.approx(WAVELENGTH[40]) and high == pytest.approx(WAVELENGTH[43])
    out = workflow.prepare(
        dirty, window_nm=(485, 715), masks_nm=[(low, high)], background_before_ps=-1.0
    )
    i, j = int(np.argmin(np.abs(out.delay_ps - DELAYS[100]))), out.near(WAVELENGTH[90])
    assert np.isnan(out.signal[i, j]) and np.isnan(out.signal).sum() == 1
    assert np.abs(np.nanmean(out.signal[out.delay_ps < -1.0], axis=0)).max() < 1e-12
    assert [s.split()[0] for s in out.steps] == ["cropped", "masked", "background:", "1"]
    clean, _ = chirped(0.5, noise=0.0)
    assert np.isfinite(preprocess.reject_spikes(clean).signal).all()  # steep rises are no spikes


def test_scans_are_averaged_without_their_outliers():
    m, _ = chirped(0.3, noise=0.0)
    rng = np.random.default_rng(3)
    scans = [replace(m, signal=m.signal + 0.5 * rng.standard_normal(m.shape)) for _ in range(30)]
    scans[4] = replace(
        scans[4],
        signal=scans[4].signal + np.where(np.arange(len(DELAYS)) == 50, 30.0, 0.0)[:, None],
    )
    scans[9] = replace(scans[9], signal=0 * m.signal + 20 * rng.standard_normal(m.shape))
    mean = preprocess.average_scans(scans)
    assert (
        "1 whole scans left out" in mean.steps[-1] and "outlying points left out" in mean.steps[-1]
    )
    pull = (mean.signal - m.signal) / mean.standard_error
    assert np.std(pull) == pytest.approx(
        np.sqrt(27 / 25), rel=0.03
    )  # Student's t with about 28 degrees of freedom
    assert np.median(mean.standard_error) == pytest.approx(0.5 / np.sqrt(29), rel=0.03)
    smooth = preprocess.smooth_errors(mean)
    fit = global_fit(
        replace(smooth, name="s"), Model((0.5, 30.0), dispersion=(0.2,), reference_nm=600.0)
    )
    assert fit.ssr / fit.degrees_of_freedom == pytest.approx(1.0, abs=0.15)
    with pytest.raises(ValueError, match="expected the delays"):
        preprocess.average_scans([m, m.take(wavelengths=slice(5))])


def test_bins_and_bands():
    m, _ = chirped(0.0)
    binned = preprocess.bin_wavelengths(m, 7)
    assert binned.shape[1] == 18 and np.allclose(binned.signal[:, 0], m.signal[:, :7].mean(1))
    assert np.allclose(
        preprocess.band_average(m, 500, 520),
        m.signal[:, (WAVELENGTH >= 500) & (WAVELENGTH <= 520)].mean(1),
    )
    assert np.isnan(preprocess.band_average(m, 900, 950)).all()
    with pytest.raises(ValueError, match="nothing between"):
        preprocess.crop(m, wavelength_nm=(900, 950))
    assert "none subtracted" in preprocess.subtract_background(m, -50.0).steps[-1]


# ---- forward model -------------------------------------------------------------------------------


def test_populations_conserve_crystals_and_have_known_limits():
    t = np.array([0.0, 1.0, 30.0, 300.0, 3000.0])
    f = simulate.film("neat", "before", pairs=3.0)
    p = simulate.populations(f, t)
    assert np.allclose(p.sum(1), 1) and np.all(p > -1e-12)
    assert p[0] @ np.arange(p.shape[1]) == pytest.approx(3.0, rel=1e-3)
    assert p[0, 0] == pytest.approx(np.exp(-3.0), rel=1e-2)
    # Without Auger recombination the mean decays with the single-pair lifetime.
    slow = simulate.populations(replace(f, tau_auger_ps=1e12), t)
    assert np.allclose(
        slow @ np.arange(slow.shape[1]), 3.0 * np.exp(-t / f.tau_single_ps), rtol=2e-3
    )
    # Long after, crystals hold one pair or none: those that held any decay alike.
    late = simulate.populations(f, np.array([1500.0, 1800.0]))
    assert late[1, 1] / late[0, 1] == pytest.approx(np.exp(-1.0), rel=1e-3)


def test_group_delay_and_order_of_delays():
    # Slope of the delay over angular frequency at 800 nm: fused silica has 36.16 fs² per
    # millimetre.
    omega = 2 * np.pi * 299.792458 / 800.0  # 1/fs
    nm = 2 * np.pi * 299.792458 / (omega + np.array([0.01, -0.01]))
    assert np.diff(simulate.group_delay_ps(nm, millimetres=1.0))[0] * 1e3 / -0.02 == pytest.approx(
        36.16, rel=0.01
    )
    when = simulate.visiting_time(9)
    assert sorted(when) == pytest.approx(np.linspace(0, 1, 9))
    assert np.all(np.diff(when[::2]) > 0) and np.all(np.diff(when[1::2]) < 0)


def test_response_is_a_bleach_at_the_edge_that_grows_with_cooling():
    f = simulate.film("neat", "before")
    w = np.arange(560.0, 720.0, 5.0)
    time, signal = simulate.response(f, w)
    edge = int(np.argmin(signal[np.searchsorted(time, 2.0)]))
    assert abs(w[edge] - 1239.84 / f.gap_eV) < 15
    assert (
        signal[0, edge] > 0.8 * signal[np.searchsorted(time, 2.0), edge]
    )  # weaker bleach while hot
    assert np.abs(signal[-1]).max() < 0.1 * np.abs(signal).max()
    after = simulate.response(simulate.film("neat", "after"), w)[1]
    red = w > 675
    late = np.searchsorted(time, 50.0)
    assert after[late, red].mean() < signal[late, red].mean() - 1e-4


def test_committed_files_are_those_of_the_forward_model(tmp_path):
    simulate.main(tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    apart = ("README.md", "about.yaml", "samples.csv")
    assert names == {p.name for p in DATA.iterdir() if p.name not in apart}
    for name in sorted(names):
        if name.endswith(".csv"):
            assert (tmp_path / name).read_text() == (DATA / name).read_text()
        else:
            a, b = read_tas(tmp_path / name), read_tas(DATA / name)
            assert np.allclose(
                a.signal, b.signal, rtol=0, atol=1e-6 * np.abs(b.signal).max()
            )  # other processors round the last digit


# ---- a whole analysis ----------------------------------------------------------------------------


def small(name):
    r = read_tas(DATA / name)
    keep = (r.wavelength_nm > 550) & (r.wavelength_nm < 735)
    return r.delay_ps, r.wavelength_nm[keep][::3], r.signal[:, keep][:, ::3]


@pytest.mark.parametrize("form", ["csv across", "csv down", "SIA", "glotaran", "npz scans"])
def test_own_files_in_other_formats_give_the_same_lifetimes(tmp_path, form):
    t, w, d = small("neat_before.ufs")
    if form == "glotaran":
        write_glotaran(tmp_path / "mine.ascii", t, w, d)
    elif form == "npz scans":
        np.savez(tmp_path / "mine.npz", delay_ps=t, wavelength_nm=w, dA=np.stack([d] * 3))
    else:
        write_matrix(
            tmp_path / ("mine.SIA" if form == "SIA" else "mine.csv"),
            t,
            w,
            d,
            delays="across" if "across" in form else "down",
            delimiter="\t" if form == "SIA" else ",",
            digits=8,
        )
    sets = workflow.load_sets(tmp_path, {"neat before": "mine.*", "neat after": ""})
    assert list(sets) == ["neat before"]
    m = workflow.prepare(
        sets["neat before"].matrix, window_nm=(545, 740), background_before_ps=-0.7
    )
    direct = workflow.prepare(matrix(t, w, d), window_nm=(545, 740), background_before_ps=-0.7)
    fits = [
        global_fit(
            x,
            Model(
                (0.4, 14.0, 280.0),
                fwhm_ps=0.1,
                t0_ps=0.05,
                artefact=3,
                dispersion=(1.0, 0.3),
                reference_nm=630.0,
            ),
            starts=0,
        )
        for x in (m, direct)
    ]
    assert np.allclose(fits[0].lifetimes_ps, fits[1].lifetimes_ps, rtol=1e-3)


def test_folder_without_expected_names_is_taken_as_it_is(tmp_path):
    t, w, d = small("neat_before.ufs")
    write_matrix(tmp_path / "monday.csv", t, w, d)
    write_matrix(tmp_path / "tuesday.txt", t, w, d, delimiter="\t")
    (tmp_path / "notes.txt").write_text("nothing to see\n")
    sets = workflow.load_sets(tmp_path, {"neat before": "neat_before.*"})
    assert sorted(sets) == ["monday", "tuesday"]
    with pytest.raises(MissingDataError, match="matrices"):
        workflow.load_sets((tmp_path / "empty").mkdir() or tmp_path / "empty", {"a": "*"})


def test_several_files_of_one_set_are_averaged_as_scans(tmp_path):
    t, w, d = small("neat_before.ufs")
    rng = np.random.default_rng(0)
    for i in range(6):
        write_matrix(
            tmp_path / f"control_{i}.csv", t, w, d + 1e-4 * rng.standard_normal(d.shape), digits=8
        )
    found = workflow.load_sets(tmp_path, {"neat before": "control*.csv"})["neat before"]
    assert len(found.paths) == 6 and np.std(found.matrix.signal - d) == pytest.approx(
        1e-4 / np.sqrt(6), rel=0.1
    )


def test_the_forward_model_shows_what_the_notebook_says():
    """The low-energy bleach appears in the neat film only; constants fall with fluence; alternating
    order cancels drift."""

    def fitted(name):
        r = read_tas(DATA / name)
        m = workflow.prepare(
            matrix(r.delay_ps, r.wavelength_nm, r.signal, name=name),
            window_nm=(545, 740),
            background_before_ps=-0.7,
        )
        return global_fit(
            m,
            Model(
                (0.4, 14.0, 280.0),
                fwhm_ps=0.1,
                t0_ps=0.05,
                artefact=3,
                dispersion=(1.0, 0.3),
                reference_nm=630.0,
                fixed=("dispersion_1", "dispersion_2"),
            ),
            starts=0,
        )

    red = workflow.red_edge({k: fitted(f"neat_{k}.ufs") for k in ("before", "after")}, 675, 705)
    assert red["before"][0] > 0 > red["after"][0] + 3 * red["after"][1]
    low, high = (
        fitted("fluence_00.5_pairs.ufs").lifetimes_ps,
        fitted("fluence_36.0_pairs.ufs").lifetimes_ps,
    )
    assert high[1] < 0.7 * low[1] and high[2] < 0.8 * low[2]
    order = {
        k: fitted(f"order_{k}.ufs").lifetimes_ps[2] for k in ("steady", "alternating", "ascending")
    }
    assert abs(order["alternating"] / order["steady"] - 1) < 0.3 * abs(
        order["ascending"] / order["steady"] - 1
    )


def test_pl_series_recovers_the_published_means():
    for sample, name in (("neat", "neat"), ("E+G", "EG")):
        s = workflow.read_pl_series(DATA / f"pl_{name}.csv")
        assert s.fresh_nm == pytest.approx(simulate.PL_NM[sample, "before"], abs=0.5)
        assert s.after_nm.mean() == pytest.approx(simulate.PL_NM[sample, "after"], abs=0.6)
        assert s.after_nm.std(ddof=1) < 1.0 and len(s.after_nm) == simulate.SCANS["after"]
        assert s.blue_share_after < s.blue_share_fresh + 3 * s.blue_share_error
