"""Van Roosbroeck and Shockley: closed forms, coverage on noise, no number without a line."""

import numpy as np
import pytest

from peled.photoluminescence import reciprocity as r

KT = r.K_EV * 300
E = np.linspace(1.5, 2.2, 700)


def film(urbach=0.015, gap=1.9):
    """Absorptance with a soft edge and an Urbach tail; emission by the relation."""
    alpha = np.where(gap < E, 1 + 3 * (E - gap), np.exp((E - gap) / urbach))
    absorbed = 1 - np.exp(-1.5 * alpha)
    return absorbed, absorbed * E**2 * np.exp(-(E - gap) / KT)


def test_kT_and_urbach_energy_cover():
    absorbed, emitted = film()
    pulls = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sa, se = 2e-4, 2e-3 * emitted.max()
        a = absorbed + rng.normal(0, sa, E.size)
        m = emitted + rng.normal(0, se, E.size)
        kt = r.thermal_energy(E, m, np.full(E.size, se), a, np.full(E.size, sa))
        alpha = -np.log(1 - a)
        eu = r.urbach_energy(E, alpha, sa / (1 - a))
        pulls.append([(kt.scale_eV - KT) / kt.error_eV, (eu.scale_eV - 0.015) / eu.error_eV])
    inside = np.mean(np.abs(pulls) < 1.96, axis=0)
    assert np.all(inside > 0.9), inside
    assert kt.error_eV < 0.1 * KT and eu.error_eV < 0.002


def test_emission_continues_absorption():
    """Where absorption is lost in noise, the emission's tail gives the same Urbach energy."""
    _, emitted = film()
    rng = np.random.default_rng(1)
    se = 1e-5 * emitted.max()
    detailed = np.exp((E - E.mean()) / KT) / E**2
    implied, error = (emitted + rng.normal(0, se, E.size)) * detailed, se * detailed
    tail = E < 1.95
    found = r.urbach_energy(E[tail], implied[tail], error[tail])
    assert abs(found.scale_eV - 0.015) < 4 * found.error_eV < 0.003
    assert found.window_eV[0] < 1.80


def test_noise_and_flat_spectra_give_nothing():
    rng = np.random.default_rng(2)
    noise, one = rng.normal(0, 1, E.size), np.ones(E.size)
    with pytest.raises(ValueError, match="expected at least"):
        r.thermal_energy(E, noise, one, noise, one)
    with pytest.raises(ValueError, match="absorption edge"):
        r.urbach_energy(E, noise, one)
    with pytest.raises(ValueError, match="expected a rise"):
        r.thermal_energy(E, E**2 * np.exp(0 * E), 1e-3 * one, 0.5 + 0.4 * (E > 2.1), 1e-3 * one)


def test_an_offset_of_the_absorption_widens_the_error():
    absorbed, emitted = film()
    small = np.full(E.size, 2e-4), np.full(E.size, 2e-3 * emitted.max())
    right = r.thermal_energy(E, emitted, small[1], absorbed, small[0])
    off = r.thermal_energy(E, emitted, small[1], absorbed + 0.01, small[0])
    assert off.error_eV > 5 * right.error_eV
    assert abs(off.scale_eV - KT) < 3 * off.error_eV
