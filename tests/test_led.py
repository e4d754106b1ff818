"""LED photometry, colour, consistency, J-V, roll-off: closed forms, an independent colour library,
coverage."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import c, e, h
from scipy.optimize import curve_fit

import labs
from peled.led import consistency, current_voltage, photometry, routes
from peled.led.consistency import Stated
from peled.led.photometry import SpectrumError
from peled.separable import serial

W = np.arange(400.0, 781.0)


def gaussian(centre, sd, w=W):
    return np.exp(-0.5 * ((w - centre) / sd) ** 2)


# ---- photometry ----------------------------------------------------------------------------------


def test_tables_are_those_of_the_colour_library():
    colour = pytest.importorskip("colour")
    v = colour.SDS_LEFS["CIE 1924 Photopic Standard Observer"]
    cmf = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"]
    nm = np.arange(360, 831)
    np.testing.assert_allclose(
        photometry.photopic_response(nm), [v[float(k)] for k in nm], rtol=1e-9
    )
    np.testing.assert_allclose(
        photometry.matching_functions(nm).T, [cmf[float(k)] for k in nm], rtol=1e-9, atol=1e-12
    )
    nm = np.arange(390, 831)
    newer = colour.SDS_LEFS["CIE 2008 2 Degree Physiologically Relevant LEF"]
    np.testing.assert_allclose(
        photometry.photopic_response(nm, "CIE 2008"), [newer[float(k)] for k in nm], rtol=1e-9
    )


@pytest.mark.parametrize("quantity,cd_A", [("power", 107.005), ("photons", 106.461)])
def test_known_candela_per_ampere(quantity, cd_A):
    """Gaussian at 550 nm, standard deviation 40 nm, Lambertian, 30 %: summed here by hand at 1
    nm."""
    nm = np.arange(360.0, 831.0)
    photons = gaussian(550, 40, nm) * (nm if quantity == "power" else 1.0)
    by_hand = (
        0.3
        * 683.002
        * np.sum(photons * h * c / (nm * 1e-9) * photometry.photopic_response(nm))
        / photons.sum()
        / (e * np.pi)
    )
    per_photon = photometry.luminous_energy_per_photon
    found = 0.3 * per_photon(nm, gaussian(550, 40, nm), quantity=quantity) / (e * np.pi)
    assert found == pytest.approx(by_hand, rel=1e-4)
    assert found == pytest.approx(cd_A, abs=0.02)


def test_half_width_at_one_over_e_of_40_nm_gives_the_other_known_value():
    """exp(−((λ − 550)/40)²), whose standard deviation is 28.3 nm: 122.2 (photons) to 122.6 cd/A
    (power)."""
    nm = np.arange(360.0, 831.0)
    spectrum = np.exp(-(((nm - 550) / 40) ** 2))
    low, high = (
        0.3 * photometry.luminous_energy_per_photon(nm, spectrum, quantity=q) / (e * np.pi)
        for q in ("photons", "power")
    )
    assert low < 122.33 < high and high - low < 0.4


def test_narrow_line_is_the_textbook_formula():
    nm, line = photometry.gaussian_band(555, 0.5, np.arange(553, 557, 0.01))
    per_photon = 683.002 * h * c / 555e-9
    assert photometry.luminous_energy_per_photon(nm, line) == pytest.approx(per_photon, rel=1e-4)


def test_printed_points_of_the_paper():
    nm, band = photometry.gaussian_band(620, 35)
    eqe = photometry.efficiency([30, 150, 600], [0.1, 1, 10], nm, band).eqe
    np.testing.assert_allclose(100 * eqe, [17.6, 8.8, 3.52], atol=0.01)


@given(st.floats(450, 700), st.floats(5, 40), st.floats(1e-4, 1.0), st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_luminance_and_efficiency_are_inverse(centre, sd, eqe, current):
    spectrum = gaussian(centre, sd, np.arange(centre - 6 * sd, centre + 6 * sd, sd / 10))
    nm = np.arange(centre - 6 * sd, centre + 6 * sd, sd / 10)
    lum = photometry.luminance(eqe, current, nm, spectrum)
    assert float(photometry.efficiency(lum, current, nm, spectrum).eqe) == pytest.approx(
        eqe, rel=1e-9
    )


@given(st.floats(0.01, 1e6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_scale_order_and_representation_of_the_spectrum_do_not_matter(scale, backwards):
    band = gaussian(620, 15)
    reference = photometry.luminous_energy_per_photon(W, band)
    nm, values = (W[::-1], scale * band[::-1]) if backwards else (W, scale * band)
    assert photometry.luminous_energy_per_photon(nm, values) == pytest.approx(
        float(reference), rel=1e-12
    )
    photons = values * nm
    assert photometry.luminous_energy_per_photon(nm, photons, quantity="photons") == pytest.approx(
        float(reference), rel=1e-9
    )


def test_each_point_with_its_own_spectrum():
    spectra = np.stack([gaussian(620, 15), gaussian(640, 20), gaussian(600, 10)])
    together = photometry.efficiency([10, 20, 30], [1, 1, 1], W, spectra).eqe
    alone = [
        float(photometry.efficiency(lum, 1, W, s).eqe)
        for lum, s in zip((10, 20, 30), spectra, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_shoulder_takes_a_quarter_of_the_candela():
    nm = photometry.WIDE_GRID_NM
    main, rich = photometry.gaussian_band(620, 35, nm)[1], photometry.gaussian_band(680, 45, nm)[1]
    mixed = 0.75 * main / main.sum() + 0.25 * rich / rich.sum()
    ratio = photometry.luminous_energy_per_photon(
        nm, mixed
    ) / photometry.luminous_energy_per_photon(nm, main)
    assert ratio == pytest.approx(0.752, abs=0.002)


def test_effective_solid_angles():
    angle = np.arange(-85, 86, 5.0)
    assert photometry.effective_solid_angle() == pytest.approx(np.pi)
    assert photometry.effective_solid_angle(cosine_power=1) == pytest.approx(np.pi)
    assert photometry.effective_solid_angle(cosine_power=0) == pytest.approx(2 * np.pi)
    for power in (0.7, 1.0, 1.6):
        measured = np.cos(np.radians(angle)) ** power
        assert photometry.effective_solid_angle(angle, measured) == pytest.approx(
            2 * np.pi / (power + 1), rel=3e-3
        )
    with pytest.raises(ValueError, match="70 deg"):
        photometry.effective_solid_angle(np.arange(0, 61, 5), np.ones(13))


def test_flux_and_luminance_agree():
    """One Lambertian emitter: all its light, and what it sends along the normal."""
    band = gaussian(620, 15)
    eqe, current_A, area_m2 = 0.12, 1e-4, 4.5e-6
    photons = eqe * current_A / e
    step = 1.0
    spectral_flux = band * photons / (band * W * 1e-9 / (h * c) * step).sum()
    lumens = 683.002 * (spectral_flux * photometry.photopic_response(W)).sum()
    found = photometry.efficiency(
        lumens / (np.pi * area_m2), current_A / area_m2 * 0.1, W, band
    ).eqe
    assert found == pytest.approx(eqe, rel=1e-6)


def test_view_factor_limits_and_monte_carlo():
    assert photometry.disc_view_factor(1e-3, 5, 5) == pytest.approx(0.5, rel=1e-6)
    assert photometry.disc_view_factor(1, 1000, 0.1) == pytest.approx(1.0, abs=1e-4)
    rng = np.random.default_rng(3)
    n = 400_000
    r, phi = 2 * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    sin2, psi = rng.random(n), 2 * np.pi * rng.random(n)
    reach = 6 * np.sqrt(sin2 / (1 - sin2))
    x, y = r * np.cos(phi) + reach * np.cos(psi), r * np.sin(phi) + reach * np.sin(psi)
    assert photometry.disc_view_factor(2, 4, 6) == pytest.approx(
        np.mean(x**2 + y**2 < 16), abs=4e-3
    )


def test_colour_matches_the_colour_library():
    colour = pytest.importorskip("colour")
    nm = np.arange(380, 781)
    spectrum = gaussian(620, 15, nm) + 0.2 * gaussian(680, 20, nm)
    xyz = colour.sd_to_XYZ(
        colour.SpectralDistribution(dict(zip(nm.tolist(), spectrum.tolist(), strict=True))),
        method="Integration",
    )
    xy = colour.XYZ_to_xy(xyz)
    found = photometry.colour(nm.astype(float), spectrum)
    np.testing.assert_allclose([found.x, found.y], xy, atol=2e-4)
    np.testing.assert_allclose(photometry.uv_prime(*xy), colour.xy_to_Luv_uv(xy), atol=1e-9)


def test_red_primaries_lie_on_themselves():
    for name, xy in photometry.RED_PRIMARIES.items():
        u, v = photometry.uv_prime(*xy)
        assert name and 0.4 < u < 0.6 and 0.5 < v < 0.53


@pytest.mark.parametrize(
    "spectrum,wavelength,message",
    [
        (gaussian(620, 15)[:230], W[:230], "long end"),
        (gaussian(620, 15) * 0, W, "positive signal"),
        (np.where(W == 600, np.nan, gaussian(620, 15)), W, "finite"),
        (gaussian(620, 15), W * 1e-3, "expected nm"),
        (gaussian(620, 15), np.r_[W[:-1], W[-2]], "twice"),
        (gaussian(620, 15)[:10], W, "spectrum: expected"),
    ],
)
def test_unusable_spectra(spectrum, wavelength, message):
    with pytest.raises(SpectrumError, match=message):
        photometry.efficiency(1, 1, wavelength, spectrum)


@pytest.mark.parametrize(
    "lum,current,message",
    [
        (-1, 1, "luminance"),
        (1, 0, "current density"),
        (np.nan, 1, "luminance"),
        (1, -2, "current density"),
    ],
)
def test_unusable_readings(lum, current, message):
    with pytest.raises(ValueError, match=message):
        photometry.efficiency(lum, current, W, gaussian(620, 15))


# ---- consistency ---------------------------------------------------------------------------------


@given(st.floats(1, 1e4), st.floats(1e-3, 100), st.floats(590, 680), st.floats(15, 60))
@settings(max_examples=25, deadline=None)
def test_any_three_give_the_fourth(lum, current, centre, fwhm):
    eqe = consistency.solve(
        luminance_cd_m2=lum, current_density_mA_cm2=current, centre_nm=centre, fwhm_nm=fwhm
    ).value
    known = {
        "luminance_cd_m2": lum,
        "current_density_mA_cm2": current,
        "eqe": eqe,
        "centre_nm": centre,
    }
    for name in known:
        rest = {key: value for key, value in known.items() if key != name}
        assert consistency.solve(fwhm_nm=fwhm, **rest).value == pytest.approx(known[name], rel=1e-6)


def test_paper_points_need_different_bands_unless_rounded():
    lum, j, eqe = (30, 150, 600), (0.1, 1, 10), [Stated(q, 0.0005) for q in (0.164, 0.091, 0.033)]
    exact = consistency.common_band([Stated(v) for v in lum], j, eqe, fwhm_nm=35)
    np.testing.assert_allclose(exact.centres_nm, [617.60, 621.11, 617.81], atol=0.02)
    assert not exact.possible
    rounded = consistency.common_band(
        [Stated(v, r) for v, r in zip(lum, (5, 5, 50), strict=True)], j, eqe, fwhm_nm=35
    )
    assert rounded.possible and 619 < rounded.low_nm < 620 < rounded.high_nm < 622


def test_interval_covers_rounding_and_noise():
    rng = np.random.default_rng(8)
    inside = 0
    for _ in range(300):
        truth = rng.uniform(20, 80)
        measured_j = 0.1 * (1 + 0.03 * rng.normal())
        eqe = float(photometry.efficiency(truth, 0.1, *photometry.gaussian_band(620, 35)).eqe)
        found = consistency.solve(
            luminance_cd_m2=Stated(round(truth, -1), 5),
            current_density_mA_cm2=Stated(measured_j, 0, 0.003),
            centre_nm=620.0,
            fwhm_nm=35,
        )
        inside += found.low <= eqe <= found.high
    assert (
        inside / 300 >= 0.95
    )  # rounding bounds are never exceeded, so the interval covers at least its level


def test_solve_refuses_what_is_over_or_underdetermined():
    with pytest.raises(ValueError, match="exactly one"):
        consistency.solve(luminance_cd_m2=1, fwhm_nm=35)
    with pytest.raises(ValueError, match="band between"):
        consistency.solve(luminance_cd_m2=1e6, eqe=0.1, current_density_mA_cm2=0.001, fwhm_nm=35)


def column(reported, lum, j, nm, band):
    found = photometry.efficiency(lum, j, nm, band).eqe
    return consistency.check_column(reported / found, j, consistency.shortcuts(nm, band))


@pytest.mark.parametrize(
    "factor,word",
    [(1.0, None), (0.9126, "CIE 2008"), (0.1, "A m"), (2.0, "Lambertian"), (1.059, "peak")],
)
def test_reported_column_is_judged_and_explained(factor, word):
    rng = np.random.default_rng(2)
    nm, band = photometry.gaussian_band(620, 50)
    j = np.geomspace(0.01, 30, 40)
    lum = photometry.luminance(0.1 / (1 + j), j, nm, band)
    reported = factor * 0.1 / (1 + j) * (1 + 0.005 * rng.normal(size=40))
    check = column(reported, lum, j, nm, band)
    assert check.median == pytest.approx(factor, rel=0.01)
    assert check.agrees == (word is None)
    if word:
        assert word in check.explanations[0][0]


def test_column_ten_per_cent_off_says_so_and_its_interval_is_tight():
    nm, band = photometry.gaussian_band(530, 60)
    j = np.geomspace(0.1, 10, 25)
    lum = photometry.luminance(np.full(25, 0.2), j, nm, band)
    check = column(0.2 * 1.11 * np.ones(25), lum, j, nm, band)
    assert not check.agrees and check.low == pytest.approx(1.11, rel=1e-6)


def test_median_interval_of_the_column_covers():
    rng = np.random.default_rng(11)
    nm, band = photometry.gaussian_band(620, 35)
    j = np.geomspace(0.1, 10, 41)
    lum = photometry.luminance(np.full(41, 0.1), j, nm, band)
    hits = 0
    for _ in range(300):
        check = column(0.11 * np.exp(0.03 * rng.normal(size=41)), lum, j, nm, band)
        hits += check.low <= 1.1 <= check.high
    assert 0.93 <= hits / 300 <= 0.99


# ---- J-V -----------------------------------------------------------------------------------------

TRUE_JV = np.array([-18.0, 1.8, -0.5, 2.6, 5.0, 1.0])


def test_jv_regimes_have_their_slopes():
    v = np.array([0.1, 0.2])
    low = current_voltage.jv_current(v, TRUE_JV)
    assert np.log(low[1] / low[0]) / np.log(2) == pytest.approx(1.0, abs=0.01)  # ohmic leakage
    space = current_voltage.jv_current(np.array([50.0, 55.0]), [-18, 1.8, -3.0, 2.0, 9.0, -4.0])
    assert np.log(space[1] / space[0]) / np.log(1.1) == pytest.approx(2.0, abs=0.1)
    diode = current_voltage.jv_current(np.array([1.0, 1.1]), [-14, 1.8, 7.0, 2.0, 11.0, -4.0])
    assert np.log(diode[1] / diode[0]) == pytest.approx(0.1 / (1.8 * 0.025421), rel=0.02)
    series = current_voltage.jv_current(np.array([60.0, 70.0]), [-18, 1.0, 7.0, 2.0, 11.0, 2.0])
    assert (series[1] - series[0]) * 1e-3 * 100 == pytest.approx(10.0, rel=0.03)
    leak = current_voltage.jv_current(np.array([0.1, 0.3]), [-30.0, 1.0, 7.0, 2.0, 3.0, 3.0])
    assert leak == pytest.approx([0.05, 0.15], rel=1e-6)  # 1 kΩ cm² beside the diode, 1 before it


def test_jv_fit_recovers_with_coverage():
    rng = np.random.default_rng(21)
    truth = np.array([-16.0, 1.8, 0.5, 2.6, 5.0, 1.5])
    v = np.arange(0.1, 8.01, 0.1)
    clean = current_voltage.jv_current(v, truth)
    pulls = []
    for _ in range(24):
        fit = current_voltage.fit_jv(v, clean * 10 ** (0.005 * rng.normal(size=v.size)))
        if fit.estimates.at_bound.any():  # its errors are conditional, as it says
            continue
        pulls.append((fit.values - truth) / fit.standard_errors)
    # 6 parameters of 24 sets, correlated: the mean of the six is known to about 3 %.
    hits = ~(np.abs(pulls) > 1.96)
    assert len(pulls) >= 21
    assert hits.mean() == pytest.approx(0.95, abs=0.05) and (hits.mean(axis=0) > 0.8).all()
    assert np.sqrt(np.nanmean(np.square(pulls))) == pytest.approx(1, abs=0.25)


def test_jv_fit_says_when_the_model_does_not_hold_and_skips_flagged_points():
    v = np.arange(0.1, 8.01, 0.1)
    j = current_voltage.jv_current(v, TRUE_JV)
    bent = j * np.exp(0.3 * np.sin(2 * v))
    assert current_voltage.fit_jv(v, bent).runs_z < -3
    spoiled = j.copy()
    spoiled[40] *= 100
    good = np.ones(v.size, bool)
    good[40] = False
    fit = current_voltage.fit_jv(v, spoiled, good=good)
    assert fit.scatter < 1e-3 and np.isnan(fit.residual[40]) and not fit.used[40]
    with pytest.raises(ValueError, match="at least 9"):
        current_voltage.fit_jv(v[:5], j[:5])


def test_turn_on_of_an_exponential_is_exact_and_spikes_do_not_count():
    v = np.arange(0, 5, 0.1)
    lum = np.exp((v - 2.34) / 0.08)
    found = current_voltage.turn_on(v, lum, noise_cd_m2=1e-6)
    assert found.voltage_V == pytest.approx(2.34, abs=1e-6)
    spiky = lum.copy()
    spiky[3] = 50
    assert current_voltage.turn_on(v, spiky, noise_cd_m2=1e-6).voltage_V == pytest.approx(
        2.34, abs=1e-6
    )
    assert not current_voltage.turn_on(v, lum * 1e-30).reached


def test_turn_on_follows_the_bend_of_the_logarithm():
    """Light that rises as a power of the voltage above a threshold; wherever the readings lie."""
    true = 2.0 + 10 ** (-3 / 5)
    for first in np.linspace(0, 0.1, 7, endpoint=False):
        v = np.arange(2.05 + first, 5, 0.1)
        light = 1e3 * (v - 2.0) ** 5
        found = current_voltage.turn_on(v, light, noise_cd_m2=1e-9, luminance_relative_error=0.0)
        assert abs(found.voltage_V - true) < 0.4 * (np.interp(0.0, np.log(light), v) - true)
        assert abs(found.voltage_V - true) < 1.96 * found.standard_error_V


def test_turn_on_error_covers():
    rng = np.random.default_rng(4)
    v, hits = np.arange(0, 5, 0.1), 0
    clean = np.exp((v - 2.34) / 0.15)
    for _ in range(400):
        lum = clean * (1 + 0.03 * rng.normal(size=v.size)) + 0.02 * rng.normal(size=v.size)
        t = current_voltage.turn_on(v, lum)
        hits += abs(t.voltage_V - 2.34) < 1.96 * t.standard_error_V
    assert 0.93 <= hits / 400 <= 0.985


def test_hysteresis_measures_a_voltage_shift():
    v = np.arange(0.5, 4, 0.1)
    found = current_voltage.hysteresis(
        v, 1e-4 * np.exp(3 * v), v[::-1], 1e-4 * np.exp(3 * (v[::-1] + 0.05))
    )
    assert found.shift_V == pytest.approx(0.05, rel=0.05)


def test_hysteresis_of_bent_curves_covers():
    rng, lamp, hits = np.random.default_rng(8), labs.Lamp(), []
    v = lamp.voltages()
    for _ in range(400):
        lead = rng.uniform(0.01, 0.08)
        up, down = (
            lamp.current(v + ahead) * (1 + 0.01 * rng.standard_normal(v.size))
            for ahead in (0, lead)
        )
        found = current_voltage.hysteresis(v, up, v[::-1], down[::-1])
        hits.append(abs(found.shift_V - lead) < 1.96 * found.shift_error)
    assert 0.92 <= np.mean(hits) <= 0.98


def test_hysteresis_of_currents_that_never_meet_is_refused():
    v = np.arange(1.0, 4.0, 0.1)
    with pytest.raises(ValueError, match="both sweeps reach"):
        current_voltage.hysteresis(v, np.exp(v), v, 1e3 * np.exp(v))
    with pytest.raises(ValueError, match="rises"):
        current_voltage.hysteresis(v, np.exp(v), v, np.exp(-v))


# ---- EQE(J) --------------------------------------------------------------------------------------


def test_peak_is_not_biased_by_noise_and_covers():
    rng = np.random.default_rng(6)
    j = np.geomspace(0.005, 50, 80)
    true = np.exp(-0.15 * np.log(j / 0.3) ** 2) * 0.2
    value, hits = [], 0
    for _ in range(400):
        p = current_voltage.peak_eqe(j, true * (1 + 0.02 * rng.normal(size=80)), 0.02 * true)
        value.append(p.eqe)
        hits += abs(p.eqe - 0.2) < 1.96 * p.eqe_error
    assert np.mean(value) == pytest.approx(
        0.2, rel=0.006
    )  # the largest of the points would be 3 % too high
    assert hits / 400 >= 0.94  # more than 95 %, for slow noise is not ruled out by 20 readings


def test_a_flat_top_is_followed_where_noise_puts_the_largest_reading_far_from_it():
    x = np.linspace(-2, 2, 81)
    q = 0.1 * np.exp(-0.5 * x**2)
    clean = current_voltage.peak_eqe(10**x, q)
    q[np.argmin(np.abs(x - 0.4))] *= 1.09  # 0.4 decades off
    found = current_voltage.peak_eqe(10**x, q)
    assert clean.current_density_mA_cm2 == pytest.approx(1, rel=1e-3)
    assert found.current_error < 0.5
    assert abs(found.current_density_mA_cm2 - 1) < 2 * found.current_error


def test_half_current_and_edges():
    j = np.geomspace(0.01, 100, 200)
    p = current_voltage.peak_eqe(j, 0.2 / (1 + (np.log(j / 0.1) / 2) ** 2))
    assert p.half_reached and p.half_current_mA_cm2 == pytest.approx(0.1 * np.exp(2), rel=0.02)
    rising = current_voltage.peak_eqe(j, 0.01 * j**0.2)
    assert rising.at_edge and not rising.half_reached


@pytest.mark.parametrize("name", list(current_voltage.ROLLOFF))
def test_rolloff_laws_are_told_apart_on_many_points_with_their_limiting_slope(name):
    law, slope, _ = current_voltage.ROLLOFF[name]
    far = np.array([1e9, 1.2e9])
    assert np.diff(law(far, (0.0, 0.0)))[0] / math.log(1.2) == pytest.approx(slope, abs=0.01)
    rng = np.random.default_rng(9)
    j = np.geomspace(0.02, 200, 60)
    found = current_voltage.rolloff(
        j, np.exp(law(j, (math.log(0.2), 0.0)) + 0.01 * rng.normal(size=60))
    )
    assert found.fits[0].name == name and found.why.startswith(f"{name} leads by")
    assert abs(found.fits[0].j0_mA_cm2 - 1.0) < 3 * found.fits[0].j0_error


def test_three_points_identify_nothing():
    found = current_voltage.rolloff([0.1, 1, 10], [0.164, 0.091, 0.033])
    assert "3 points leave 1 degree of freedom: no mechanism" in found.why
    assert found.fits[0].name == "bimolecular quenching" and found.fits[
        0
    ].j0_mA_cm2 == pytest.approx(0.63, abs=0.01)
    np.testing.assert_allclose(found.local_slopes, [-0.256, -0.441], atol=1e-3)


def test_cubic_laws_solve_their_rate_equations():
    g = np.geomspace(1e-12, 1e12, 200)
    x = current_voltage._cubic_root(g)
    np.testing.assert_allclose(x**2 + x**3, g, rtol=1e-9)
    y = np.exp(-current_voltage._exciton_auger(g, (0.0, 0.0))) - 1
    large = y > 1e-6
    np.testing.assert_allclose((np.sqrt(y) + np.sqrt(y) ** 3)[large], g[large], rtol=1e-6)


# ---- each number by an independent computation ---------------------------------------------------


def test_points_of_a_curve_weigh_by_reading_noise_beside_a_gain_of_half_a_hundredth():
    """Residuals of log J: 0.005 in decades of gain, and 1 nA/cm² over J ln 10 of reading."""
    v = np.linspace(0.1, 5, 60)
    j = current_voltage.jv_current(v, [-16.0, 1.8, 0.5, 2.6, 7.2, 1.5])
    rng = np.random.default_rng(3)
    measured = j * (1 + 0.01 * rng.standard_normal(60))
    fit = current_voltage.fit_jv(v, measured)
    assert j.min() < 3e-5 and np.isnan(fit.residual[~fit.used]).all()
    weight = fit.result.residual / fit.residual[fit.used]
    relative = np.hypot(0.005, 1e-6 / (j[fit.used] * np.log(10))) / 0.005
    assert weight == pytest.approx(1 / relative, rel=0.05)
    freedom = fit.used.sum() - 6 + fit.estimates.at_bound.sum()
    assert fit.scatter == pytest.approx(np.sqrt(np.sum(fit.result.residual**2) / freedom))
    left = np.log10(measured[fit.used] / current_voltage.jv_current(v[fit.used], fit.values))
    assert fit.residual[fit.used] == pytest.approx(left, abs=1e-6)
    with pytest.raises(ValueError, match=r"at least 9 points above 0\.05 V"):
        current_voltage.fit_jv(v[:8], j[-8:])


@pytest.mark.parametrize("points, degree", [(11, 3), (6, 2)])
def test_peak_is_the_maximum_of_the_weighted_polynomial(points, degree, monkeypatch):
    """By numpy's polyfit and a search: height, place, and the errors of both, where readings err
    independently."""
    monkeypatch.setattr(serial, "CORRELATIONS", {0.0: 1.0})
    rng = np.random.default_rng(4)
    x = np.linspace(-0.48, 0.48, points) + 0.7
    j = np.r_[1e-3, 10**x, 300.0]
    q = np.r_[0.01, 0.12 * np.exp(-0.9 * (x - 0.68) ** 2 + 0.2 * (x - 0.7) ** 3), 0.004]
    error = 0.004 * rng.uniform(0.5, 2, q.size) * q
    q = q * (1 + 0.004 * rng.standard_normal(q.size))
    q[1 + points // 2] = 0.1206 * 1.003  # the largest is in the middle
    found = current_voltage.peak_eqe(j[::-1], q[::-1], error[::-1])
    near = slice(1, -1)
    u, w = x - x[points // 2], q[near] / error[near]
    c, cov = np.polyfit(u, np.log(q[near]), degree, w=w, cov="unscaled")
    chi2 = np.sum((w * (np.log(q[near]) - np.polyval(c, u))) ** 2) / (points - degree - 1)
    fine = np.linspace(-0.3, 0.3, 60001)
    at = fine[np.argmax(np.polyval(c, fine))]
    row = at ** np.arange(degree, -1, -1.0)
    lean = np.array([k * at ** max(k - 1, 0) for k in range(degree, -1, -1)])
    cov = cov * max(chi2, 1)
    assert found.eqe == pytest.approx(np.exp(np.polyval(c, at)), rel=1e-6)
    assert found.eqe_error == pytest.approx(found.eqe * np.sqrt(row @ cov @ row), rel=2e-3)
    assert found.current_density_mA_cm2 == pytest.approx(10 ** (x[points // 2] + at), rel=3e-3)
    bend = np.polyval(np.polyder(c, 2), at)
    spread = np.sqrt(lean @ cov @ lean) / abs(bend)
    assert found.current_error == pytest.approx(
        found.current_density_mA_cm2 * np.log(10) * spread, rel=0.01
    )
    # Half of it lies on the straight line of ln EQE against lg J.
    inner = np.log10([j[-2], j[-1]])
    half = np.interp(-np.log(found.eqe / 2), -np.log(q[-2:]), inner)
    assert found.half_current_mA_cm2 == pytest.approx(10**half) and not found.at_edge


def test_a_reading_is_the_maximum_only_as_far_as_its_error_allows():
    j, q = np.array([0.01, 1, 10, 100.0]), np.array([0.2, 0.1, 0.12, 0.05])
    found = current_voltage.peak_eqe(j, q, np.array([0.06, 0.001, 0.001, 0.001]))
    assert (found.eqe, found.eqe_error, found.current_density_mA_cm2) == (0.12, 0.001, 10)
    assert current_voltage.peak_eqe(j, q, np.array([0.03, 0.001, 0.001, 0.001])).eqe == 0.2
    plain = current_voltage.peak_eqe(j, q)
    assert plain.at_edge and np.isnan(plain.eqe_error)


def test_hysteresis_is_the_shift_of_the_steep_part():
    """A flank a fifth as steep as the steepest part and less tells nothing of a voltage."""
    v = np.linspace(0, 6, 61)
    slope = np.where(v < 2, 0.15, np.where(v < 4, 1.0, 0.25))

    def lg(at):
        return np.interp(at, v, np.r_[0, np.cumsum(slope[:-1] * np.diff(v))]) - 3

    up = 10 ** lg(v)
    down = 10 ** lg(v - 0.08)  # the way back lies 0.08 V to the right
    found = current_voltage.hysteresis(v, up, v[::-1], down[::-1])
    assert found.points == 61
    assert found.shift_V == pytest.approx(-0.08, abs=0.005) and found.shift_error < 0.005
    flat = np.where(v < 1.6, 1.02, 1.0) * down
    other = current_voltage.hysteresis(v, up, v[::-1], flat[::-1])
    assert other.shift_V == pytest.approx(found.shift_V, abs=1e-6)
    dim = np.where(v < 3, 2.5e-6, up)  # below three times the noise of the meter
    assert current_voltage.hysteresis(v, dim, v, down).points == np.count_nonzero(v >= 3)


@pytest.mark.parametrize("name", current_voltage.ROLLOFF)
def test_a_roll_off_has_its_current_error_misfit_and_bic(name):
    """Against scipy's curve_fit of the same law."""
    law, limit, _ = current_voltage.ROLLOFF[name]
    rng, j = np.random.default_rng(5), np.geomspace(1, 3000, 25)
    y = law(j, (np.log(0.1), np.log(40.0))) + 0.01 * rng.standard_normal(25)
    found = current_voltage.rolloff(j[::-1], np.exp(y)[::-1])
    assert found.fits[0].name == name and found.why.startswith(f"{name} leads by")
    (a, b), cov = curve_fit(lambda j, a, b: law(j, (a, b)), j, y, (np.log(0.1), np.log(40.0)))
    rest = y - law(j, (a, b))
    assert found.fits[0].j0_mA_cm2 == pytest.approx(np.exp(b), rel=1e-3)
    assert found.fits[0].j0_error == pytest.approx(np.exp(b) * np.sqrt(cov[1, 1]), rel=0.02)
    assert found.fits[0].bic == pytest.approx(
        25 * np.log(rest @ rest / 25) + 3 * np.log(25), abs=1e-3
    )
    assert found.fits[0].largest == pytest.approx(np.abs(np.expm1(-rest)).max(), rel=1e-2)
    far = np.diff(law(np.array([1e10, 1e11]), (0.0, 0.0)))[0] / np.log(10)
    assert far == pytest.approx(limit, abs=0.01)
    assert found.local_slopes == pytest.approx(np.diff(y) / np.diff(np.log(j)))
    few = current_voltage.rolloff(j[::6][:4], np.exp(y)[::6][:4])
    assert "4 points leave 2 degrees of freedom: no mechanism" in few.why


@pytest.mark.parametrize("end, said", [(9.0, ""), (20.0, "short end"), (4.0, "")])
def test_a_band_is_cut_where_its_end_stands_out_of_the_noise_of_so_many_points(end, said):
    """The mean of ten points of noise 10 is known to 3.2; 9 of 100 may be noise, 20 is not, and 4
    is little."""
    axis = np.linspace(500, 700, 500)
    y = 100 * np.exp(-0.5 * ((axis - 600) / 15) ** 2)
    y[:10] = end
    cut = SimpleNamespace(values=y[None], variance=np.full((1, 500), 100.0), axis=axis)
    assert said in routes._cut(cut, 0) and bool(routes._cut(cut, 0)) == bool(said)
    quiet = SimpleNamespace(values=y[None], variance=None, axis=axis)
    assert bool(routes._cut(quiet, 0)) == (end > 5)
