"""Optics: closed forms, conservation, the tmm package, and three ways to one number."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate

from peled import optics
from peled.formats import FormatError
from peled.optics import (
    dipole_emission,
    far_field,
    film_escape,
    multilayer,
    power_spectrum,
    read_index,
)

LED = (
    "soda-lime_Rubin",
    "ITO_assumed",
    "PEDOT-PSS_Chen",
    "poly-TPD_assumed",
    "TFB_assumed",
    None,
    "TPBi_assumed",
    "LiF_Li",
    "Al_Rakic",
)
LED_NM = [150.0, 16.0, 7.0, 7.0, 20.0, 70.0, 1.0, 80.0]
EMITTER = 5


def led_indices(wavelength_nm=620.0):
    return [
        complex(
            optics.index_table(name)(wavelength_nm).real
            if name == "soda-lime_Rubin"
            else optics.index_table(name)(wavelength_nm)
        )
        if name
        else 1.82
        for name in LED
    ] + [1.0]


def random_stack(rng, layers, absorbing=True):
    indices = (
        [rng.uniform(1, 2.2)]
        + [
            rng.uniform(1, 3) + (1j * rng.uniform(0, 3) if absorbing and rng.random() < 0.5 else 0)
            for _ in range(layers)
        ]
        + [rng.uniform(1, 2.2)]
    )
    return indices, list(rng.uniform(1, 300, layers))


# --- plane waves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("polarisation", ["s", "p"])
def test_plane_waves_agree_with_tmm(polarisation):
    tmm = pytest.importorskip("tmm")
    rng = np.random.default_rng(0)
    for _ in range(40):
        indices, thickness = random_stack(rng, rng.integers(0, 6))
        if rng.random() < 0.3:
            indices[-1] = 1.4 + 7.2j
        wavelength, angles = rng.uniform(350, 900), rng.uniform(0, 1.55, 3)
        found = multilayer(indices, thickness, wavelength, angles, polarisation)
        for k, angle in enumerate(angles):
            other = tmm.coh_tmm(
                polarisation, indices, [np.inf, *thickness, np.inf], angle, wavelength
            )
            assert found.R[k] == pytest.approx(other["R"], abs=1e-10)
            assert found.T[k] == pytest.approx(other["T"], abs=1e-10)
            assert abs(found.r[k] - other["r"]) < 1e-10
            np.testing.assert_allclose(
                found.layers[:, k], tmm.absorp_in_each_layer(other)[1:-1], atol=1e-9
            )


def test_plane_waves_over_wavelength_and_angle_at_once():
    wavelengths, angles = np.linspace(450, 750, 7), np.linspace(0, 1.5, 11)
    silver = np.linspace(0.3, 0.1, 7) + 1j * np.linspace(3, 5, 7)
    table = multilayer([1.0, 1.5, silver, 1.0], [100.0, 20.0], wavelengths, angles, "p")
    assert table.R.shape == (7, 11) and table.layers.shape == (2, 7, 11)
    one = multilayer([1.0, 1.5, silver[3], 1.0], [100.0, 20.0], wavelengths[3], angles[4], "p")
    assert np.ndim(one.R) == 0 and pytest.approx(table.R[3, 4]) == one.R


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    angle=st.floats(0, 1.5),
    polarisation=st.sampled_from(["s", "p", "unpolarised"]),
)
def test_energy_is_conserved_and_absorption_positive(seed, angle, polarisation):
    rng = np.random.default_rng(seed)
    indices, thickness = random_stack(rng, 4)
    wave = multilayer(indices, thickness, 600.0, angle, polarisation)
    assert pytest.approx(1, abs=1e-9) == wave.R + wave.T + wave.A
    assert (wave.layers > -1e-10).all() and wave.T >= -1e-12 and 0 <= wave.R <= 1 + 1e-12


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    fraction=st.floats(0, 0.95),
    polarisation=st.sampled_from(["s", "p"]),
)
def test_transmission_is_reciprocal(seed, fraction, polarisation):
    rng = np.random.default_rng(seed)
    indices, thickness = random_stack(rng, 4)
    sine = fraction * min(indices[0], indices[-1])  # the same effective index from either side
    there = multilayer(indices, thickness, 600.0, np.arcsin(sine / indices[0]), polarisation)
    back = multilayer(
        indices[::-1], thickness[::-1], 600.0, np.arcsin(sine / indices[-1]), polarisation
    )
    assert pytest.approx(back.T, abs=1e-10) == there.T


def test_known_special_cases():
    assert pytest.approx(0.04) == multilayer([1.0, 1.5], [], 600.0).R
    brewster = np.arctan(1.5)
    assert pytest.approx(0, abs=1e-15) == multilayer([1.0, 1.5], [], 600.0, brewster, "p").R
    assert (
        pytest.approx(0, abs=1e-15)
        == multilayer([1.0, np.sqrt(1.5), 1.5], [600 / 4 / np.sqrt(1.5)], 600.0).R
    )
    assert pytest.approx(1) == multilayer([1.5, 1.0], [], 600.0, 1.2, "s").R
    frustrated = [
        multilayer([1.5, 1.0, 1.5], [gap], 600.0, 1.0, "s").T for gap in (0.0, 50.0, 200.0, 5000.0)
    ]
    assert (
        frustrated[0] == pytest.approx(1)
        and frustrated == sorted(frustrated, reverse=True)
        and 0 <= frustrated[-1] < 1e-12
    )


@pytest.mark.parametrize(
    "arguments,words",
    [
        (([1.0, 1.5, 1.0], [], 600.0), "expected 1 inner layers"),
        (([1.0, 1.5, 1.0], [-3.0], 600.0), "layer 1"),
        (([1.0, 1.5 - 0.1j, 1.0], [3.0], 600.0), "medium 1"),
        (([1.0 + 0.1j, 1.5], [], 600.0), "lossless medium of incidence"),
        (([1.0, 1.5], [], -600.0), "positive wavelengths"),
        (([1.0, 1.5], [], 600.0, 1.6), "below pi/2"),
        (([1.0, 1.5], [], 600.0, 0.0, "x"), "polarisation"),
        (([1.0, [1.4, 1.5]], [], [500.0, 600.0, 700.0]), "one number or 3"),
    ],
)
def test_plane_waves_refuse(arguments, words):
    with pytest.raises(ValueError, match=words):
        multilayer(*arguments)


# --- rays and recycling ---------------------------------------------------------------------------


def test_small_angle_formulas():
    assert optics.escape_small_angle(1.82) == pytest.approx(1 / (1.82 * 2.82**2))
    assert optics.escape_small_angle(1.82, 1.5) == pytest.approx(0.16824, abs=1e-5)


def test_escape_through_one_face_by_adaptive_quadrature():
    for outside in (1.0, 1.5):

        def integrand(cosine, outside=outside):
            return sum(optics.fresnel_transmittance(1.82, outside, cosine)) / 4

        critical = np.sqrt(1 - (outside / 1.82) ** 2)
        other = integrate.quad(integrand, critical, 1, epsabs=1e-13, limit=200)[0]
        assert optics.escape_fresnel(1.82, outside) == pytest.approx(other, abs=1e-9)
    assert optics.escape_fresnel(1.82) == pytest.approx(0.0706874, abs=5e-8)


def test_fresnel_transmittance_is_the_plane_wave_one():
    angles = np.linspace(0, 1.4, 30)
    s, p = optics.fresnel_transmittance(1.82, 1.5, np.cos(angles))
    np.testing.assert_allclose(s, multilayer([1.82, 1.5], [], 620.0, angles, "s").T, atol=1e-13)
    np.testing.assert_allclose(p, multilayer([1.82, 1.5], [], 620.0, angles, "p").T, atol=1e-13)


def test_film_without_absorption_empties_its_escape_cones():
    film = film_escape(1.82, 1.0, 1.5, 0.0)
    assert film.total == pytest.approx(1 - np.sqrt(1 - (1.5 / 1.82) ** 2), abs=1e-12)
    assert film.trapped == pytest.approx(np.sqrt(1 - (1.5 / 1.82) ** 2), abs=1e-12)
    assert film.absorbed == pytest.approx(0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    film=st.floats(1.2, 3.5),
    front=st.floats(1.0, 2.5),
    back=st.floats(1.0, 2.5),
    density=st.floats(1e-4, 3.0),
)
def test_film_escape_is_a_probability_and_falls_with_absorption(film, front, back, density):
    one, more = (
        film_escape(film, front, back, density),
        film_escape(film, front, back, 1.3 * density),
    )
    assert 0 < more.total < one.total <= 1 + 1e-12
    assert film_escape(film, back, front, density).front == pytest.approx(one.back, rel=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peled.optics.escape.NODES", 200)
        finer = film_escape(film, front, back, density)
    assert one.total == pytest.approx(finer.total, abs=1e-6)
    assert one.front + one.back + one.absorbed + one.trapped == pytest.approx(1)


@pytest.mark.parametrize("turned", [False, True])
def test_an_outer_metal_takes_what_a_thick_layer_of_it_takes(turned):
    """A half-space that absorbs lets no light out, whichever side it is on."""
    metal = complex(optics.index_table("Al_Rakic")(620.0))
    stack = ([1.5, 1.8, metal], [70.0], 1), ([1.5, 1.8, metal, 1.0], [70.0, 900.0], 1)
    if turned:
        stack = [(n[::-1], d[::-1], len(n) - 2) for n, d, _ in stack]
    outer, layer = (dipole_emission(*one, 620.0) for one in stack)
    parts = ("air_top", "air_bottom", "substrate", "guided", "plasmon", "absorbed")
    for part in parts:
        assert getattr(outer, part) == pytest.approx(getattr(layer, part), abs=2e-6)
    assert outer.absorbed > 0.01
    assert sum(getattr(outer, part) for part in parts) == pytest.approx(1, abs=1e-6)


def test_thick_absorber_emits_only_from_its_skin():
    """All light that escapes then starts within an absorption length: one face, no returns, mean of
    the remaining depth."""
    film, density = film_escape(1.82, 1.0, 1.0, 60.0), 60.0

    def integrand(c):
        return sum(optics.fresnel_transmittance(1.82, 1.0, c)) / 4 * c / (density * np.log(10))

    skin = integrate.quad(integrand, np.sqrt(1 - 1 / 1.82**2), 1)[0]
    assert film.front == pytest.approx(skin, rel=1e-6) and film.back == pytest.approx(
        skin, rel=1e-6
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: film_escape(1.8, 1, 1.5, -1),
        lambda: optics.escape_fresnel(-1.0),
        lambda: optics.waveguide_cutoff(1.4, 1.5, 1.0, 620.0, "s"),
        lambda: optics.waveguide_cutoff(1.8, 1.5, 1.0, 620.0, "TE"),
    ],
)
def test_rays_refuse(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def slab_modes(
    n_film, n_substrate, n_cover, thickness_nm, wavelength_nm, polarisation
) -> np.ndarray:
    """Effective indices of the guided modes of a lossless slab, fundamental first (bisection of the
    phase condition)."""
    low, high = max(n_substrate, n_cover), n_film
    k0 = 2 * np.pi / wavelength_nm

    def phase(effective):
        inside = np.sqrt(max(n_film**2 - effective**2, 0.0))
        total = k0 * inside * thickness_nm
        for outer in (n_substrate, n_cover):
            factor = 1.0 if polarisation == "s" else (n_film / outer) ** 2
            total -= np.arctan2(factor * np.sqrt(max(effective**2 - outer**2, 0.0)), inside)
        return total

    modes = []
    while phase(low) > len(modes) * np.pi:
        a, b = low, high
        for _ in range(80):
            middle = 0.5 * (a + b)
            a, b = (middle, b) if phase(middle) > len(modes) * np.pi else (a, middle)
        modes.append(0.5 * (a + b))
    return np.array(modes)


def test_waveguide_cutoffs_and_modes():
    te = optics.waveguide_cutoff(1.82, 1.5, 1.0, 620.0, "s")
    tm = optics.waveguide_cutoff(1.82, 1.5, 1.0, 620.0, "p")
    assert te == pytest.approx(79.077, abs=1e-3) and tm == pytest.approx(124.392, abs=1e-3)
    for polarisation, cutoff in (("s", te), ("p", tm)):
        assert len(slab_modes(1.82, 1.5, 1.0, 0.999 * cutoff, 620.0, polarisation)) == 0
        assert len(slab_modes(1.82, 1.5, 1.0, 1.001 * cutoff, 620.0, polarisation)) == 1
        second = optics.waveguide_cutoff(1.82, 1.5, 1.0, 620.0, polarisation, order=1)
        assert len(slab_modes(1.82, 1.5, 1.0, 1.001 * second, 620.0, polarisation)) == 2


# --- dipoles --------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ["isotropic", "horizontal", "vertical", 0.2])
def test_homogeneous_medium_gives_one(orientation):
    found = dipole_emission([1.82, 1.82, 1.82], [30.0], 1, 620.0, orientation=orientation)
    assert found.purcell == pytest.approx(1, abs=1e-6)
    assert found.air_top == pytest.approx(0.5, abs=1e-6) and found.substrate == pytest.approx(
        0.5, abs=1e-6
    )


def test_half_space_escape_is_the_fresnel_average():
    for depth in (0.0, 130.0, 2000.0):
        found = dipole_emission([1.82, 1.0], [], 0, 620.0, depth=depth)
        assert found.air_top * found.purcell == pytest.approx(0.0706874, abs=2e-7)
    average = np.mean(
        [
            dipole_emission([1.82, 1.0], [], 0, 620.0, depth=z).purcell
            for z in np.linspace(8000, 8000 + 620 / 1.82 / 2, 40, endpoint=False)
        ]
    )
    assert average == pytest.approx(1, abs=2e-3)  # interference with the mirror image dies out


@pytest.mark.parametrize("distance", [20.0, 80.0, 150.0, 400.0])
def test_mirror_closed_form(distance):
    """A dipole in front of a perfect mirror (Chance, Prock & Silbey 1978, eqs 2.20, 2.25)."""
    x = 4 * np.pi * 1.5 * distance / 600.0
    parallel = 1 - 1.5 * (np.sin(x) / x + np.cos(x) / x**2 - np.sin(x) / x**3)
    upright = 1 - 3 * (np.cos(x) / x**2 - np.sin(x) / x**3)
    mirror = 1e-4 + 1e5j
    for orientation, closed in (
        ("horizontal", parallel),
        ("vertical", upright),
        ("isotropic", (2 * parallel + upright) / 3),
    ):
        found = dipole_emission(
            [1.5, mirror], [], 0, 600.0, depth=distance, orientation=orientation
        )
        assert found.purcell == pytest.approx(closed, rel=2e-4, abs=1e-5)


def test_near_field_quenching_closed_form():
    """Close to an absorber loss goes as 1/z^3 (Chance, Prock & Silbey 1978, section II.D):
    quasi-static image."""
    z, n, metal = 1.0, 1.5, 1.2 + 6.0j
    image = ((metal**2 - n**2) / (metal**2 + n**2)).imag
    expected = 3 / (2 * 2 * np.pi * n * z / 620.0) ** 3 * image  # upright
    found = dipole_emission([n, metal], [], 0, 620.0, depth=z, orientation="vertical")
    assert found.purcell == pytest.approx(expected, rel=0.03)
    assert found.plasmon == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("thickness", [30.0, 100.0, 200.0, 400.0])
@pytest.mark.parametrize("orientation", ["horizontal", "vertical"])
def test_film_on_glass_balances_below_a_ten_thousandth(thickness, orientation):
    found = dipole_emission([1.5, 1.82, 1.0], [thickness], 1, 620.0, orientation=orientation)
    assert abs(found.balance) < 1e-5
    assert sum(found.fractions().values()) == pytest.approx(1)
    assert found.absorbed == pytest.approx(0, abs=1e-5) and found.plasmon == 0


def test_nothing_is_guided_below_the_cutoff():
    te, tm = (optics.waveguide_cutoff(1.82, 1.5, 1.0, 620.0, polarisation) for polarisation in "sp")
    thin = dipole_emission([1.5, 1.82, 1.0], [te - 1], 1, 620.0)
    assert abs(thin.guided) < 2e-3
    between = dipole_emission([1.5, 1.82, 1.0], [0.5 * (te + tm)], 1, 620.0, orientation="vertical")
    assert abs(between.guided) < 1e-4  # TE does not couple to upright dipoles, TM is not there yet
    assert dipole_emission([1.5, 1.82, 1.0], [te + 25], 1, 620.0).guided > 0.1


def test_guided_power_is_the_residue_of_the_mode():
    """The contour's guided share against the pole of TE0 alone, found by an independent mode
    solver."""
    indices, thickness = [1.5, 1.82, 1.0], [100.0]
    (mode,) = slab_modes(1.82, 1.5, 1.0, 100.0, 620.0, "s")
    found = dipole_emission(
        indices, thickness, 1, 620.0, orientation="horizontal", depth=0.5, tolerance=1e-8
    )
    # near the pole K is residue / (N - mode); on the contour's side of the axis each crossing gives
    # pi times it
    shifts = np.array([1e-3, 2e-3])
    lorentz = [
        power_spectrum(
            indices,
            thickness,
            1,
            620.0,
            np.array([mode - 1j * shift]),
            orientation="horizontal",
            depth=0.5,
        )[0][0]
        for shift in shifts
    ]
    residue = [value * shift for value, shift in zip(lorentz, shifts)]
    power = np.pi * (2 * residue[0] - residue[1]).real  # linear extrapolation to the axis
    assert found.guided * found.purcell == pytest.approx(power, rel=5e-3)


def test_thick_film_tends_to_rays():
    """Averaged over fringes a film of many wavelengths escapes as rays do."""
    thickness = np.linspace(6000, 6400, 41)
    found = dipole_emission(
        [1.5, 1.82, 1.0], [thickness], 1, 620.0, depth=np.linspace(0.05, 0.95, 9), tolerance=1e-3
    )
    rays = film_escape(1.82, 1.0, 1.5, 0.0)
    assert np.mean(found.air_top + found.substrate) == pytest.approx(rays.total, abs=0.01)


def test_thick_glass_splits_by_what_the_full_stack_reflects():
    bare, glass = (
        dipole_emission([1.5, 1.82, 1.0], [30.0], 1, 620.0),
        dipole_emission([1.5, 1.82, 1.0], [30.0], 1, 620.0, outside=1.0),
    )
    assert glass.purcell == pytest.approx(bare.purcell)
    assert glass.air_top + glass.air_bottom + glass.substrate == pytest.approx(1, abs=1e-5)
    assert glass.air_top > bare.air_top  # light comes back from the glass through the film
    assert glass.substrate == pytest.approx(0.66, abs=0.01)  # two thirds stay in the glass
    matched = dipole_emission([1.5, 1.82, 1.0], [30.0], 1, 620.0, outside=1.5)
    assert matched.substrate == pytest.approx(0, abs=1e-6) and matched.air_bottom == pytest.approx(
        bare.substrate, abs=1e-6
    )


@pytest.mark.parametrize("orientation", ["isotropic", "horizontal", "vertical"])
def test_full_led_balances(orientation):
    found = dipole_emission(
        led_indices(), LED_NM, EMITTER, 620.0, orientation=orientation, outside=1.0, layers=True
    )
    assert abs(found.balance) < 1e-5
    assert sum(found.fractions().values()) == pytest.approx(1, abs=1e-9)
    assert found.air_bottom + found.substrate + found.layers.sum() + found.air_top == pytest.approx(
        1, abs=1e-4
    )
    assert min(found.fractions().values()) > -1e-6
    lossless = [k for k, index in enumerate(led_indices()[1:-1]) if np.imag(index) == 0]
    np.testing.assert_allclose(found.layers[lossless], 0, atol=1e-9)


def test_led_channels_do_not_depend_on_the_tolerance():
    coarse = dipole_emission(led_indices(), LED_NM, EMITTER, 620.0, outside=1.0)
    fine = dipole_emission(led_indices(), LED_NM, EMITTER, 620.0, outside=1.0, tolerance=1e-9)
    for name, value in coarse.fractions().items():
        assert value == pytest.approx(fine.fractions()[name], abs=2e-5)


def test_scan_equals_single_calls():
    thickness = np.array([40.0, 70.0, 110.0])
    scanned = dipole_emission(
        led_indices(), [*LED_NM[:5], thickness, *LED_NM[6:]], EMITTER, 620.0, outside=1.0
    )
    for k, value in enumerate(thickness):
        single = dipole_emission(
            led_indices(), [*LED_NM[:5], value, *LED_NM[6:]], EMITTER, 620.0, outside=1.0
        )
        assert scanned.outcoupling[k] == pytest.approx(single.outcoupling, abs=2e-5)
        assert scanned.purcell[k] == pytest.approx(single.purcell, rel=2e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_random_stacks_balance_and_turn_over(seed):
    """Energy balance of any stack; and turning the stack upside down changes nothing."""
    rng = np.random.default_rng(seed)
    indices, thickness = random_stack(rng, 3)
    indices[2] = rng.uniform(1.4, 2.4)
    assume(
        all(
            abs(a - b) > 0.02
            for k, a in enumerate(map(np.real, indices))
            for b in map(np.real, indices[:k])
        )
    )
    for k in (1, 3):  # k enough that guided peaks have a width
        indices[k] = complex(np.real(indices[k]), max(np.imag(indices[k]), 0.01))
    thickness[1] += 20
    up = dipole_emission(indices, thickness, 2, 600.0, depth=[0.3, 0.6], layers=True)
    assert abs(up.balance) < 1e-3
    down = dipole_emission(indices[::-1], thickness[::-1], 2, 600.0, depth=[0.7, 0.4], layers=True)
    assert down.purcell == pytest.approx(up.purcell, rel=1e-4)
    assert down.air_top == pytest.approx(up.substrate, abs=1e-4)
    np.testing.assert_allclose(down.layers[::-1], up.layers, atol=1e-4)


def test_layers_of_no_thickness_are_not_there():
    bare = dipole_emission([1.5, 1.82, 1.0], [120.0], 1, 620.0, layers=True)
    for ghost in (1.3 + 7.4j, 2.2 + 0.1j):
        found = dipole_emission([1.5, ghost, 1.82, 1.0], [0.0, 120.0], 2, 620.0, layers=True)
        assert (
            found.fractions() == pytest.approx(bare.fractions(), abs=1e-4)
            and abs(found.balance) < 1e-4
        )


def test_far_field_integrates_to_the_channels():
    indices = led_indices()
    nodes, weights = np.polynomial.legendre.leggauss(200)
    angle, weight = np.pi / 4 * (nodes + 1), np.pi / 4 * weights
    found = dipole_emission(indices, LED_NM, EMITTER, 620.0, outside=1.0, depth=0.5)
    s, p = far_field(indices, LED_NM, EMITTER, 620.0, angle, outside=1.0, depth=0.5)
    assert 2 * np.pi * np.sum(weight * np.sin(angle) * (s + p)) == pytest.approx(
        found.air_bottom * found.purcell, rel=1e-3
    )
    film = dipole_emission([1.5, 1.82, 1.0], [30.0], 1, 620.0, depth=0.5)
    s, p = far_field([1.5, 1.82, 1.0], [30.0], 1, 620.0, angle, side="top", depth=0.5)
    assert 2 * np.pi * np.sum(weight * np.sin(angle) * (s + p)) == pytest.approx(
        film.air_top * film.purcell, rel=1e-3
    )


def test_power_spectrum_integrates_to_the_rate():
    N = np.linspace(0, 1.5, 20001)[1:-1]
    s, p = power_spectrum([1.5, 1.82, 1.0], [30.0], 1, 620.0, N)
    found = dipole_emission([1.5, 1.82, 1.0], [30.0], 1, 620.0, depth=0.5)
    assert np.trapezoid(s + p, N) == pytest.approx(found.purcell, rel=5e-3)


def test_efficiency_weighs_the_yield_by_the_rate():
    found = dipole_emission(led_indices(), LED_NM, EMITTER, 620.0, outside=1.0)
    assert found.efficiency(1.0) == pytest.approx(found.outcoupling)
    assert found.efficiency(0.5) == pytest.approx(
        found.purcell / (1 + found.purcell) * found.outcoupling
    )


@pytest.mark.parametrize(
    "arguments,words",
    [
        (dict(emitter=7), "emitter: expected a medium"),
        (dict(depth=1.2), "fractions of the emitter"),
        (dict(orientation="sideways"), "orientation: expected"),
        (dict(orientation=1.4), "orientation: expected"),
        (dict(wavelength_nm=0.0), "positive wavelength"),
        (dict(emitter=0), "depth: expected the distance"),
        (dict(thickness_nm=[30.0, 2.0]), "inner layers"),
        (dict(indices=[1.5, 1.82 - 0.1j, 1.0]), "k >= 0"),
        (dict(indices=[1.5 + 1j, 1.82, 1 + 5j]), "at least one lossless outer"),
        (dict(indices=[1.5, [1.8, 1.9], 1.0]), "one number a medium"),
    ],
)
def test_dipoles_refuse(arguments, words):
    call = (
        dict(indices=[1.5, 1.82, 1.0], thickness_nm=[30.0], emitter=1, wavelength_nm=620.0)
        | arguments
    )
    with pytest.raises(ValueError, match=words):
        dipole_emission(**call)


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in LED if name])
def test_tables_of_the_led_cover_its_emission(name):
    table = optics.index_table(name)
    value = table(np.linspace(560, 720, 9))
    assert (value.real > 0.5).all() and (value.imag >= 0).all() and table.source


def test_a_table_ends_where_it_ends():
    with pytest.raises(
        ValueError,
        match=r"Al_Rakic: expected wavelengths from 364\.66 to 1033\.2 nm, found 2000 nm",
    ):
        optics.index_table("Al_Rakic")([620.0, 2000.0])
    with pytest.raises(FormatError, match="a material of Al_Rakic"):
        optics.index_table("unobtainium")


def test_tables_interpolate_between_their_points(tmp_path):
    path = tmp_path / "glass.yml"
    path.write_text(
        "DATA:\n  - type: tabulated nk\n    data: |\n        0.7 1.6 0.2\n        0.5 1.5 0.1\n"
    )
    assert read_index(path)(600.0) == pytest.approx(1.55 + 0.15j)
    assert read_index(path).range_nm == (500.0, 700.0)
    table = tmp_path / "own.csv"
    table.write_text("Wavelength (nm),n,k\n500,1.5,0.1\n600,1.55,0.15\n700,1.6,0.2\n")
    assert read_index(table)(550.0) == pytest.approx(1.525 + 0.125j)
    microns = tmp_path / "own.txt"
    microns.write_text("# um n\n0.5 1.5\n0.6 1.55\n0.7 1.6\n")
    assert read_index(microns)(550.0) == pytest.approx(1.525)


@pytest.mark.parametrize(
    "formula,coefficients,wavelength,expected",
    [
        (1, "0 1.03961212 0.0774642 0.231792344 0.1414847 1.01046945 10.176475", 0.5876, 1.51680),
        (
            2,
            "0 1.03961212 0.00600069867 0.231792344 0.0200179144 1.01046945 103.560653",
            0.5876,
            1.51680,
        ),  # BK7, twice
        (3, "2.25 0.01 -2", 0.5, np.sqrt(2.29)),
        (5, "1.5 0.004 -2", 0.5, 1.516),
        (6, "0 0.05792105 238.0185 0.00167917 57.362", 0.5876, 1.00027717),  # air
        (4, "1 1.0 0 0.1 2 0 0 0 0 0.01 2", 0.5, np.sqrt(1 + 1 / (0.25 - 0.01) + 0.0025)),
    ],
)
def test_dispersion_formulas(tmp_path, formula, coefficients, wavelength, expected):
    path = tmp_path / "formula.yml"
    path.write_text(
        f"DATA:\n  - type: formula {formula}\n    wavelength_range: 0.3 1.0\n    "
        f"coefficients: {coefficients}\n"
    )
    assert read_index(path)(1000 * wavelength).real == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "content,words",
    [
        ("", "empty file"),
        ("a: [", "YAML"),
        ("just text", "list DATA"),
        ("DATA: []", "list DATA"),
        ("DATA:\n  - type: magic\n", "DATA block 1: expected tabulated nk"),
        ("DATA:\n  - type: tabulated nk\n    data: |\n        0.5 1.5\n", "3 columns"),
        ("DATA:\n  - type: tabulated nk\n    data: |\n        0.5 1.5 x\n", "rows of numbers"),
        (
            "DATA:\n  - type: tabulated n\n    data: |\n        0.5 1.5\n        0.5 1.6\n",
            "each once",
        ),
        (
            "DATA:\n  - type: tabulated k\n    data: |\n        0.5 0.1\n        0.6 0.1\n",
            "n beside k",
        ),
        (
            "DATA:\n  - type: tabulated nk\n    data: |\n        0.5 1.5 -1\n        0.6 1.5 0\n",
            "k of 0 or more",
        ),
        ("DATA:\n  - type: formula 5\n    coefficients: 1.5\n", "wavelength_range"),
        (
            "DATA:\n  - type: formula 9\n    wavelength_range: 0.3 1\n    coefficients: 1.5\n",
            "formula 1 to 6",
        ),
        ("DATA:\n  - type: tabulated n\n    data: |\n        0.5 1.5\n        0.6 nan\n", "finite"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
    ],
)
def test_broken_tables_are_refused_with_the_place(tmp_path, content, words):
    path = tmp_path / "broken.yml"
    path.write_text(content)
    with pytest.raises(FormatError, match=words) as caught:
        read_index(path)
    assert "broken.yml" in str(caught.value)


def test_tables_of_others_are_read(samples):
    for path in sorted((samples / "refractive_index").glob("*.yml")):
        table = read_index(path)
        low, high = table.range_nm
        value = table(np.linspace(low, high, 500))
        assert (
            np.isfinite(value).all()
            and (value.real > 0).all()
            and (value.imag >= 0).all()
            and table.source
        )
    assert read_index(samples / "refractive_index" / "Al_Rakic.yml")(619.93) == pytest.approx(
        1.3660 + 7.4052j, abs=1e-4
    )
    assert read_index(samples / "refractive_index" / "soda-lime_Rubin-clear.yml")(
        620.0
    ).real == pytest.approx(1.52209, abs=1e-5)
