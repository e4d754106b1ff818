"""The synthesis room: amounts, conservation, crystals, recipes, and what a bad procedure is
told."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import N_A as AVOGADRO
from uncertainties import ufloat

from hassan2021.simulate import synthesis as bench
from hassan2021.synthesis import MIXED_HALIDE_SALTS, mixed_halide
from hassan2021.verdicts import synthesis as verdicts
from ledger import paper
from peled import materials, molecules
from peled.formats import FormatError
from peled.samples import read_sheet
from peled.synthesis import (
    CrystalPopulation,
    Laboratory,
    ProcedureError,
    UnitError,
    amount_mmol,
    analyse,
    carry_out,
    components,
    lead_complex_ceiling,
    load_procedure,
    make_recipe,
    molar_mass,
    parse_quantity,
    procedure,
    recipe,
    run_procedure,
    salt,
)
from peled.synthesis.amounts import composition, purity_factor
from peled.synthesis.crystals import sedimentation_mm
from peled.synthesis.procedure import Chemical, perovskite_needs, yield_limit_mmol

DATA = Path(__file__).resolve().parents[1] / "data" / "synthesis"
PROCEDURE = load_procedure(DATA / "procedure.yaml")
CONTENT = yaml.safe_load((DATA / "procedure.yaml").read_text())


@pytest.fixture(scope="module")
def pure():
    return run_procedure(PROCEDURE, with_purity=False, alternatives=("E+G",))


def test_molar_masses_are_the_books():
    books = {
        "PbI2": 461.01,
        "CH3NH3Br": 111.97,
        "C10H16N2O8": 292.24,
        "C10H17N3O6S": 307.32,
        "C18H34O2": 282.47,
        "C18H37N": 267.50,
    }
    for formula, mass in books.items():
        assert molar_mass(formula).nominal_value == pytest.approx(mass, abs=0.01), formula


def test_atomic_weights_of_analysis_and_forward_model_are_the_same():
    for symbol, (value, error) in bench.ATOMIC_WEIGHTS.items():
        found = molar_mass(symbol)
        assert (found.nominal_value, found.std_dev) == (
            pytest.approx(value, abs=1e-4),
            pytest.approx(error / 3**0.5, rel=1e-3),
        )


def test_the_papers_amounts(pure):
    lead, iodide, bromide = (pure.added[c] for c in ("Pb", "I", "Br"))
    assert lead.nominal_value == pytest.approx(2.000, abs=5e-4)
    assert bromide.nominal_value == pytest.approx(1.992, abs=5e-4)
    assert (iodide / bromide).nominal_value == pytest.approx(2.008, abs=5e-4)
    assert ((iodide + bromide) / lead).nominal_value == pytest.approx(2.996, abs=5e-4)
    assert (lead / 4).nominal_value == pytest.approx(0.50, abs=5e-4)


def test_the_papers_mass_balance(pure):
    balance = verdicts.mass_balance(
        pure, vessel="batches", volume_mL=12, concentration_mg_mL=40, x_br=0.6
    )
    assert balance.stated_mg == 480
    assert balance.lead_limit_mg.nominal_value == pytest.approx(343.8, abs=0.1)
    assert balance.halide_limit_mg.nominal_value == pytest.approx(177.7, abs=0.1)
    assert balance.limiting == "Br"
    # what closes it closes it: the concentration, the shell, and the number of batches are three
    # views of one gap
    assert balance.closing_concentration_mg_mL.nominal_value * 12 == pytest.approx(
        balance.lead_limit_mg.nominal_value
    )
    assert 480 * (1 - balance.closing_shell_fraction) == pytest.approx(
        balance.lead_limit_mg.nominal_value
    )
    assert balance.closing_batches == pytest.approx(480 / 343.8, rel=1e-3)


def test_the_procedure_file_holds_the_papers_printed_numbers(pure):
    facts = verdicts.Evidence(PROCEDURE, pure, {})
    printed = {
        "C096": facts.quantity("precursor", "add", "mg", "lead_iodide"),
        "C097": facts.quantity("precursor", "add", "mg", "methylammonium_bromide"),
        "C098": facts.quantity("precursor", "add", "mL", "acetonitrile"),
        "C100": facts.quantity("injection", "transfer", "mL"),
        "C102": facts.quantity("ligand-bath", "add", "mL", "oleic_acid"),
        "C103": facts.quantity("ligand-bath", "add", "mL", "oleylamine"),
        "C107": facts.quantity("precipitation-1", "add", "mL"),
        "C110": facts.quantity("redispersion", "add", "mL"),
        "C111": facts.quantity("precipitation-2", "add", "mL"),
        "C116": facts.quantity("stock", "disperse", "mL"),
        "C122": facts.quantity("treatment-GL", "treat", "mmol"),
        "C123": facts.quantity("treatment-GL", "transfer", "mL"),
        "C105": facts.steps["injection"]["transfer"]["times"],
    }
    for claim_id, value in printed.items():
        assert value == paper.claim(claim_id).number, claim_id


def test_components_are_conserved_through_the_papers_procedure():
    for alternatives in ((), ("GL",), ("E+G",), ("GL", "EDTA")):
        outcome = run_procedure(PROCEDURE, alternatives=alternatives)
        assert max(outcome.imbalance().values()) < 1e-12


@settings(max_examples=60, deadline=None)
@given(
    masses=st.tuples(st.floats(1, 2000), st.floats(1, 2000)),
    volume=st.floats(1, 20),
    share=st.floats(0.01, 0.99),
    times=st.integers(1, 5),
    keep=st.dictionaries(
        st.sampled_from(["Pb", "I", "Br", "MA"]),
        st.floats(0, 1).map(lambda v: v if v > 1e-50 else 0.0),
    ),
)
def test_components_are_conserved_through_any_procedure(
    tmp_path_factory, masses, volume, share, times, keep
):
    content = {
        "title": "random",
        "chemicals": {
            k: CONTENT["chemicals"][k]
            for k in ("lead_iodide", "methylammonium_bromide", "acetonitrile")
        },
        "steps": [
            {
                "id": "a",
                "add": [
                    {"chemical": "lead_iodide", "mass": f"{masses[0]} mg", "to": "A"},
                    {"chemical": "methylammonium_bromide", "mass": f"{masses[1]} mg", "to": "A"},
                    {"chemical": "acetonitrile", "volume": f"{volume} mL", "to": "A"},
                ],
            },
            {
                "id": "b",
                "transfer": {
                    "from": "A",
                    "to": "B",
                    "volume": f"{share * volume / times} mL",
                    "times": times,
                },
            },
            {"id": "c", "precipitate": {"vessel": "B", "keep": keep}},
            {"id": "d", "disperse": {"vessel": "B", "volume": "3 mL"}},
            {"id": "e", "transfer": {"from": "B", "to": "C", "volume": "all"}},
        ],
    }
    path = tmp_path_factory.mktemp("p") / "p.yaml"
    path.write_text(yaml.safe_dump(content))
    outcome = run_procedure(load_procedure(path))
    assert max(outcome.imbalance().values()) < 1e-12
    assert all(
        amount.nominal_value >= -1e-12
        for vessel in outcome.vessels.values()
        for amount in vessel.amounts.values()
        if hasattr(amount, "nominal_value")
    )


def test_propagated_errors_are_those_of_the_monte_carlo():
    tools = bench.Bench(
        balance_calibration=3e-3,
        balance_repeatability_mg=2.0,
        pipette_calibration=0.01,
        pipette_repeatability=0.02,
        purity_pbi2=0.97,
    )
    trials = bench.precursor(
        200_000,
        mass_pbi2_mg=922,
        mass_mabr_mg=223,
        volume_mL=4,
        injected_mL=0.2,
        batches=6,
        bench=tools,
        seed=3,
    )
    content = copy.deepcopy(CONTENT)
    content["chemicals"]["lead_iodide"]["purity"] = "97 %"
    path = DATA / "procedure.yaml"
    laboratory = Laboratory(3e-3, 2.0, 0.01, 0.02)
    lead = amount_mmol("PbI2", laboratory.weighed_mg(922), ufloat(0.985, 0.03 / 12**0.5))
    bromide = amount_mmol("CH3NH3Br", laboratory.weighed_mg(223))
    solvent = laboratory.measured_mL(4)
    injected = lead / solvent * laboratory.measured_mL(0.2, times=6)
    for found, key in (
        (lead, "n_pbi2_mmol"),
        (2 * lead / bromide, "iodide_to_bromide"),
        (lead / solvent, "lead_mol_L"),
        (injected, "injected_lead_mmol"),
    ):
        assert found.nominal_value == pytest.approx(
            trials[key].mean(), abs=0.02 * trials[key].std() + 1e-3 * found.nominal_value
        ), key
        assert found.std_dev == pytest.approx(trials[key].std(), rel=0.02), key
    assert path.exists()


def test_masses_from_one_balance_share_its_error():
    laboratory = Laboratory(balance_calibration=0.01, balance_repeatability_mg=0.0)
    a, b = laboratory.weighed_mg(100), laboratory.weighed_mg(200)
    assert a.std_dev == pytest.approx(1.0) and (a / b).std_dev == pytest.approx(0.0, abs=1e-12)


def test_crystals_are_counted_over_the_distribution():
    neat, treated = CrystalPopulation(16.3, 2.0, 0.6, 6.05), CrystalPopulation(12.0, 1.7, 0.6, 6.05)
    assert neat.lead_atoms(16.3) == pytest.approx(19557, abs=1) and treated.lead_atoms(
        12.0
    ) == pytest.approx(7803, abs=1)
    # E[L³] = μ³ + 3 μ σ²
    assert neat.mean(neat.lead_atoms) == pytest.approx((16.3**3 + 3 * 16.3 * 4) / 0.605**3)
    assert neat.lost_fraction(treated) == pytest.approx(0.595, abs=0.002)
    drawn = bench.crystals(400_000, edge_nm=16.3, edge_sd_nm=2.0, a_angstrom=6.05, seed=5)
    assert drawn["lead"].mean() == pytest.approx(neat.mean(neat.lead_atoms), rel=4e-3)
    assert drawn["surface_lead"].mean() == pytest.approx(neat.mean(neat.surface_lead), rel=6e-3)
    assert drawn["lead"].std() == pytest.approx(neat.spread(neat.lead_atoms), rel=6e-3)
    assert neat.density_g_cm3 == pytest.approx(4.01, abs=0.01)
    # all crystals together hold the mass that is dispersed
    assert neat.per_mL(40) * neat.mean_mass_g == pytest.approx(0.040)
    a_mole = molar_mass(procedure.perovskite_formula(0.6)).nominal_value / AVOGADRO
    assert neat.mean_mass_g == pytest.approx(neat.mean(neat.lead_atoms) * a_mole)


def test_ligands_offered():
    neat = CrystalPopulation(16.3, 2.0, 0.6, 6.05)
    per_lead = 2 / neat.lead_mmol(120)
    assert per_lead == pytest.approx(8.92, abs=0.01)
    assert per_lead * neat.lead_atoms(16.3) == pytest.approx(1.7e5, rel=0.03)
    exposed = neat.mean(neat.surface_lead) / neat.mean(neat.lead_atoms)
    assert neat.ligands_per_surface_lead(2, 120) * exposed == pytest.approx(per_lead)


def test_ceilings_of_lead_complexes():
    gl, edta = "C10H17N3O6S", "C10H16N2O8"
    assert lead_complex_ceiling({gl: 1}) == pytest.approx(404, abs=0.6)
    assert lead_complex_ceiling({edta: 1}) == pytest.approx(417, abs=0.6)
    assert lead_complex_ceiling({gl: 0.5, edta: 0.5}) == pytest.approx(410, abs=0.6)
    assert lead_complex_ceiling({"I": 2}, protons_lost=0) == pytest.approx(
        1000 * 207.2 / 461.01, abs=0.1
    )  # PbI2 as a check


def recipe_of(x, lead=0.5, volume=None, batches=6, batch_volume=0.2, **options):
    target, expected = mixed_halide(x)
    return make_recipe(
        target,
        MIXED_HALIDE_SALTS,
        concentration_mol_L=lead,
        volume_mL=volume,
        batches=batches,
        batch_volume_mL=batch_volume,
        expected=expected,
        **options,
    )


def brought(recipe, salts):
    """Moles by component in the masses of a recipe."""
    found = {}
    for w in recipe.weighings:
        salt = next(s for s in salts if s.name == w.salt)
        moles = w.mass_mg / molar_mass(salt.formula).nominal_value
        for component, n in salt.releases.items():
            found[component] = found.get(component, 0) + n * moles
    return found


@settings(max_examples=60, deadline=None)
@given(x=st.floats(0, 1), lead=st.floats(0.01, 2), volume=st.floats(1, 100))
def test_any_recipe_has_the_composition_it_was_made_for(x, lead, volume):
    found = brought(recipe_of(x, lead, volume, 2, volume / 4), MIXED_HALIDE_SALTS)
    amount = lead * volume
    wanted = {"Pb": amount, "MA": amount, "Br": 3 * x * amount, "I": 3 * (1 - x) * amount}
    for component, n in wanted.items():
        assert found.get(component, 0.0) == pytest.approx(n, rel=1e-6, abs=1e-6 * amount)


def bottle(name, formula, **releases):
    return Chemical(name, name, formula, releases)


def test_a_recipe_with_mixed_sites_and_other_metals():
    salts = [
        bottle("PbI2", "PbI2", Pb=1, I=2),
        bottle("FAI", "CH5N2I", FA=1, I=1),
        bottle("CsI", "CsI", Cs=1, I=1),
        bottle("PbBr2", "PbBr2", Pb=1, Br=2),
        bottle("MABr", "CH3NH3Br", MA=1, Br=1),
        bottle("ZnCl2", "ZnCl2", Zn=1, Cl=2),
    ]
    target = {"Cs": 0.05, "FA": 0.79, "MA": 0.16, "Pb": 1.0, "I": 2.49, "Br": 0.51}
    triple = {"concentration_mol_L": 1.2, "batches": 10, "batch_volume_mL": 0.1}
    found = brought(make_recipe(target, salts, **triple), salts)
    for component, n in target.items():
        assert found[component] == pytest.approx(1.2 * n)
    copper = [bottle("CsI", "CsI", Cs=1, I=1), bottle("CuI", "CuI", Cu=1, I=1)]
    found = brought(make_recipe({"Cs": 3, "Cu": 2, "I": 5}, copper, **triple), copper)
    assert found == pytest.approx({"Cs": 3.6, "Cu": 2.4, "I": 6.0})
    for wrong, message in (
        ({"Cs": 1, "Pb": 1, "I": 2}, "charges balance"),
        ({"Sn": 1, "I": 2}, "found Sn"),
        ({}, "found none"),
    ):
        with pytest.raises(ValueError, match=message):
            make_recipe(wrong, salts, **triple)


def test_a_recipe_of_the_paper_is_the_papers():
    recipe = recipe_of(1 / 3, volume=4.0)
    masses = {w.salt: w.mass_mg for w in recipe.weighings}
    assert (
        masses["PbI2"] == pytest.approx(922, abs=0.5)
        and masses["MABr"] == pytest.approx(224, abs=0.5)
        and set(masses) == {"PbI2", "MABr"}
    )
    assert recipe.largest_yield_mg == pytest.approx(343.8, rel=2e-3)


def test_as_many_batches_as_one_likes():
    assert recipe_of(0.4, batches=30).volume_mL == pytest.approx(6.0)


def test_tolerances_keep_the_target():
    recipe = recipe_of(0.2, tolerance=0.01)
    rng = np.random.default_rng(1)
    found = {}
    for w in recipe.weighings:
        s = next(s for s in MIXED_HALIDE_SALTS if s.name == w.salt)
        moles = rng.normal(w.mass_mg, w.tolerance_mg, 100_000) / molar_mass(s.formula).nominal_value
        for component, n in s.releases.items():
            found[component] = found.get(component, 0) + n * moles
    spreads = {c: n.std() / n.mean() for c, n in found.items()}
    assert max(spreads.values()) == pytest.approx(0.01, rel=0.02)
    assert all(s <= 0.0102 for s in spreads.values())


def test_weighing_sheets():
    recipe = recipe_of(0.6)
    assert (
        recipe.to_csv().splitlines()[0].startswith("salt,")
        and len(recipe.to_csv().splitlines()) == 4
    )
    assert "PbBr2" in recipe.to_html() and recipe.to_html().startswith("<!DOCTYPE html>")


@given(st.floats(0, 1), st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_yield_uses_up_exactly_what_limits_it(x, lead, iodide, bromide):
    amounts = {"Pb": ufloat(lead, 0.01), "I": ufloat(iodide, 0.01), "Br": ufloat(bromide, 0.01)}
    largest, limiting = yield_limit_mmol(amounts, perovskite_needs(x))
    used = {"Pb": largest, "I": 3 * (1 - x) * largest, "Br": 3 * x * largest}
    assert all(used[c].nominal_value <= amounts[c].nominal_value * (1 + 1e-9) for c in used)
    assert used[limiting].nominal_value == pytest.approx(amounts[limiting].nominal_value)


def test_stokes_law():
    options = {"density_g_cm3": 4.0, "rpm": 5000, "minutes": 5, "rotor_mm": 80}
    options |= {"liquid_g_cm3": 0.87, "viscosity_mPa_s": 0.56}
    # closed form by hand: v = Δρ d² ω² r / 18 η
    speed = 3130 * (20e-9) ** 2 * (5000 * 2 * np.pi / 60) ** 2 * 0.08 / (18 * 0.56e-3)
    assert sedimentation_mm(20, **options) == pytest.approx(speed * 300 * 1000)


def test_relations_of_the_material():
    x = np.linspace(0, 1, 21)
    np.testing.assert_allclose(
        materials.bromide_fraction_of_gap(materials.bulk_gap_eV(x)), x, atol=1e-12
    )
    for fraction in x:
        a = float(materials.lattice_constant_angstrom(fraction))
        found, error = materials.bromide_fraction_of_lattice(a, 0.0)
        assert found == pytest.approx(fraction, abs=1e-12) and error > 0


def test_quantities_and_units():
    assert parse_quantity("922 mg", "g") == pytest.approx(0.922)
    assert parse_quantity("0.5 mol/L", "mmol/mL") == pytest.approx(0.5)
    assert parse_quantity("8000 rpm", "rpm") == 8000
    for text, message in (
        ("922", "bare number"),
        ("922 mL", "unit like mg"),
        ("922 furlong/cup", "unit like mg"),
        ("922 " + "e1" * 30_000, "unit like mg, found 'e1e1.* and 59980 characters more"),
        ("-1 mg", "no negative"),
        ("some mg", "a number with a unit"),
    ):
        with pytest.raises(UnitError, match=message):
            parse_quantity(text, "mg")


def change(path, value):
    def apply(content):
        place = content
        for key in path[:-1]:
            place = place[key]
        if value is KeyError:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            change(["chemicals", "lead_iodide", "formula"], "Qq7"),
            r"procedure\.yaml, chemicals: lead_iodide: .*unknown element Qq",
        ),
        (
            change(["chemicals", "lead_iodide", "formula"], KeyError),
            "chemicals: lead_iodide: expected the key 'formula'",
        ),
        (
            change(["chemicals", "oleic_acid", "purity"], "130 %"),
            "purity.*fraction above 0 and up to 1",
        ),
        (
            change(["chemicals", "oleic_acid", "density"], KeyError),
            r"step 2 \(ligand-bath\): oleic_acid: expected a density",
        ),
        (change(["chemicals", "lead_iodide", "smell"], "none"), "found smell"),
        (
            change(["steps", 0, "add", 0, "mass"], "-922 mg"),
            r"step 1 \(precursor\): add: .*no negative value",
        ),
        (
            change(["steps", 0, "add", 0, "mass"], "922"),
            r"step 1 \(precursor\): add: .*bare number",
        ),
        (
            change(["steps", 0, "add", 0, "mass"], "922 mL"),
            r"step 1 \(precursor\): add: .*unit like mg",
        ),
        (change(["steps", 0, "add", 0, "chemical"], "lead"), r"step 1 .*a listed chemical"),
        (
            change(["steps", 2, "transfer", "volume"], "0.9 mL"),
            r"step 3 \(injection\): expected at most 4 mL.*found 5.4 mL",
        ),
        (
            change(["steps", 2, "transfer", "from"], "bucket"),
            r"step 3 \(injection\): expected a vessel filled before.*'bucket'",
        ),
        (
            change(["steps", 2, "transfer", "to"], KeyError),
            r"step 3 \(injection\): transfer: expected the key 'to'",
        ),
        (
            change(["steps", 4, "precipitate", "keep", "Pb"], 1.5),
            r"step 5 \(precipitation-1\): keep: Pb: expected a fraction",
        ),
        (change(["steps", 1, "stir"], True), r"step 2 \(ligand-bath\): .*found stir"),
        (change(["steps"], KeyError), "expected the key 'steps'"),
        (
            change(["steps", 0, "add", 0, "tmes"], 6),
            r"step 1 \(precursor\): add: .*found tmes; did you mean 'times'",
        ),
        (
            change(["steps", 0, "add", 0, "concentration"], "0.5 mol/L"),
            "found concentration; a stock solution is a chemical of its own",
        ),
        (
            change(["steps", 0, "add", 0, "amount"], "2 mmol"),
            r"step 1 .*one of mass, volume and amount, found mass and amount",
        ),
        (change(["steps", 0, "add", 0, "times"], "six"), "times: expected a whole number"),
        (change(["steps", 4, "precipitate", "keep", "lead"], 1), "keep: .*found lead"),
        (change(["assumption"], []), "did you mean 'assumptions'"),
        (change(["chemicals", "oleic_acid", "denisty"], "1 g/mL"), "did you mean 'density'"),
        (change(["chemicals", "oleic_acid", "grade"], "tech"), "grade: expected at least or"),
        (
            change(["chemicals", "lead_iodide", "releases", "I"], 3),
            "releases: I: expected at most the 2 that PbI2 has",
        ),
        (change(["steps", 0, "add", 0], "lead"), "add: expected a mapping"),
        (change(["steps", 5, "disperse"], {"vessel": "tubes", "volume": "1 mL"}), "at least the"),
    ],
)
def test_a_bad_procedure_is_told_where(tmp_path, edit, message):
    content = copy.deepcopy(CONTENT)
    edit(content)
    path = tmp_path / "procedure.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    with pytest.raises(ProcedureError, match=message):
        run_procedure(load_procedure(path))


def written(tmp_path, text):
    (tmp_path / "procedure.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "formula",
    [
        "Pb(CH3COO)2·3H2O",
        "Pb(CH3COO)2.3H2O",
        "Pb(CH3COO)2 3H2O",
        "Pb(CH3COO)2*3H2O",
        "Pb(CH3COO)2 · 3 H2O",
        "Pb(CH₃COO)₂ • 3H₂O",
        "[Pb(CH3COO)2] x 3 H2O",
        "Pb(CH3COO)2, 3(H2O)",
        "Pb(CH3COO)2+3H2O",
    ],
)
def test_hydrates_in_all_spellings(formula):
    assert composition(formula) == composition("PbC4H12O7")


def test_waters_that_are_a_half_or_unknown():
    for formula in ("CaSO4·½H2O", "CaSO4.0.5H2O"):
        assert dict(composition(formula)) == {"Ca": 1, "S": 1, "O": 4.5, "H": 1}
    assert dict(composition("PbI1.5Br1.5")) == {"Pb": 1, "I": 1.5, "Br": 1.5}
    for formula, message in (("MnCl2·xH2O", "number of waters"), ("CaSO4·", "found 'nothing'")):
        with pytest.raises(ValueError, match=message):
            composition(formula)


def test_stock_solutions_gases_and_a_product(tmp_path):
    folder = written(
        tmp_path,
        """
title: any
chemicals:
  top: {name: TOP-Se, formula: Se, releases: {Se: 1}, concentration: 2 mol/L}
  cdo: {name: CdO, formula: CdO, releases: {Cd: 1}, purity: 99 %}
  h2s: {name: H2S, formula: H2S, releases: {S: 1}, state: gas, purity: 80 %}
  hbr: {name: HBr in water, formula: HBr, releases: {Br: 1}, concentration: 8.9 mol/L, density: 1.49 g/mL}
  hexane: {name: hexane, formula: C6H14, state: liquid, density: 0.66 g/mL}
product: {formula: CdSe, vessel: flask}
steps:
  - id: a
    add:
      - {chemical: cdo, amount: 2 mmol, to: flask}
      - {chemical: top, volume: 0.75 mL, to: flask}
      - {chemical: h2s, volume: 24.79 mL, temperature: 25 degC, pressure: 1 bar, to: flask}
      - {chemical: hbr, mass: 1.49 g, to: flask}
      - {chemical: hexane, mass: 6.6 g, to: flask, times: 2}
  - id: b
    transfer: {from: flask, to: vial, volume: 1 mL}
""",  # noqa: E501
    )
    report = carry_out(folder)
    added = {c: n.nominal_value for c, n in report.pure.added.items()}
    assert added == pytest.approx({"Cd": 2, "Se": 1.5, "S": 1.0, "Br": 8.9}, rel=1e-3)
    gas = report.outcome.added["S"].nominal_value  # of at least 80 %
    assert gas == pytest.approx(purity_factor(0.8).nominal_value, rel=1e-3) and gas < 1
    # the liquids add up: 0.75 + 1 + 20 mL, of which one is taken
    left = report.pure.vessels["flask"].volume_mL.nominal_value
    assert left == pytest.approx(20.75)
    amount, limiting = report.yield_mmol
    assert limiting == report.component == "Se" and amount.nominal_value == pytest.approx(1.5)
    assert any("CdO" in a and "volume" in a for a in report.assumptions)
    assert "CdSe" in report.to_csv() and "limits" in str(report)
    (tmp_path / "procedure.yaml").write_text(
        (tmp_path / "procedure.yaml").read_text().replace("temperature: 25 degC, ", "")
    )
    with pytest.raises(ProcedureError, match="the temperature at which"):
        carry_out(folder)


def test_repeated_pipettings_err_each_by_themselves():
    laboratory = Laboratory(pipette_calibration=0.0, pipette_repeatability=0.02)
    assert laboratory.measured_mL(1.0, times=4).std_dev == pytest.approx(0.02 * 2)
    common = Laboratory(pipette_calibration=0.02, pipette_repeatability=0.0)
    assert common.measured_mL(1.0, times=4).std_dev == pytest.approx(0.02 * 4)
    balance = Laboratory(balance_calibration=0.0, balance_repeatability_mg=0.5)
    weighed = balance.weighed_mg(30.0, times=4)
    assert (weighed.nominal_value, weighed.std_dev) == pytest.approx((120, 0.5 * 2))
    common = Laboratory(balance_calibration=0.01, balance_repeatability_mg=0.0)
    assert common.weighed_mg(30.0, times=4).std_dev == pytest.approx(0.01 * 120)


def test_a_liquid_that_is_poured_brings_its_mass_and_volume(tmp_path):
    amine = {"formula": "C18H37N", "releases": {"amine": 1}, "density": "0.813 g/mL"}
    content = {
        "title": "t",
        "chemicals": {"amine": amine},
        "steps": [{"id": "a", "add": {"chemical": "amine", "volume": "2 mL", "to": "flask"}}],
    }
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content))
    outcome = run_procedure(load_procedure(tmp_path / "p.yaml"))
    flask = outcome.vessels["flask"]
    assert outcome.weighed_mg["amine"].nominal_value == pytest.approx(1626)
    assert flask.amounts["amine"].nominal_value == pytest.approx(1626 / 267.5, rel=1e-3)
    assert flask.volume_mL.nominal_value == pytest.approx(2.0)


def test_each_alternative_by_itself_and_none_that_is_not_there():
    report = carry_out(DATA)
    assert list(report.outcomes) == ["GL", "EDTA", "E+G"]
    assert {"in GL treated", "in E+G treated"} <= {name for _, name, *_ in report.rows()}
    with pytest.raises(ProcedureError, match="expected one of GL, EDTA, E\\+G, found MAI"):
        carry_out(DATA, treatments=("MAI",))
    assert report.procedure.ligands["EDTA"].formula == "C10H16N2O8"


FAILING = DATA.parents[2] / "shared" / "failing" / "synthesis"


@pytest.mark.skipif(not FAILING.is_dir(), reason="no folder of small failing inputs")
def test_other_peoples_recipes():
    caesium = carry_out(FAILING / "syn_cspb").pure.added
    assert caesium["Cs"].nominal_value == pytest.approx(4.9965, rel=1e-3)
    assert caesium["Pb"].nominal_value == pytest.approx(0.188, abs=5e-4)
    assert "Cu" in carry_out(FAILING / "syn_cu").pure.added
    assert set(carry_out(FAILING / "syn_noedta").procedure.ligands) == {"GL", "EDTA"}
    with pytest.raises(ProcedureError, match="found tmes; did you mean 'times'"):
        carry_out(FAILING / "syn_tmes")


def test_a_sheet_of_treatments_is_a_report(tmp_path):
    import matplotlib.pyplot as plt

    report = analyse.analyse(read_sheet(DATA, "synthesis", sniff=analyse.sniff), {})
    assert report.samples == ("neat", "GL", "EDTA", "E+G") and not report.problems
    (kept,) = report.select(sample="GL", name="GL, in GL treated")
    assert kept.value == pytest.approx(1.98) and kept.status == "reported"
    assert not report.select(sample="neat", name="GL, added")
    # one balance, one bottle: the same source in both, so that a ratio loses it
    lead = [q for q in report.select(name="Pb, added")]
    assert ("atomic weights", "atomic weight of Pb") in lead[0].parts
    assert lead[0].parts == lead[1].parts
    assert sum("volume of the solution" in f.evidence for f in kept.findings) == 1
    panels = report.panels()
    assert [p.name for p in panels] == ["procedure", *["way"] * 4]
    for panel in panels:
        figure = plt.figure()
        panel.draw(figure)
        assert figure.axes[0].texts
        plt.close(figure)
    # a folder without a sheet, with one file that is misspelt: the other goes on
    (tmp_path / "good.yaml").write_text((DATA / "procedure.yaml").read_text())
    (tmp_path / "bad.yaml").write_text(
        (DATA / "procedure.yaml").read_text().replace("mass:", "mas:")
    )
    report = analyse.analyse(read_sheet(tmp_path, "synthesis", sniff=analyse.sniff), {})
    assert any("did you mean 'mass'" in p.reason for p in report.problems)
    assert {q.sample for q in report.quantities} >= {"GL", "EDTA", "E+G"}


def test_a_density_without_a_unit_is_refused_with_its_file_and_chemical(tmp_path):
    path = tmp_path / "procedure.yaml"
    text = (DATA / "procedure.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("density: 0.813 g/mL", "density: 0.813"), encoding="utf-8")
    with pytest.raises(ProcedureError, match=r"procedure\.yaml.*chemicals: oleylamine.*density"):
        carry_out(path)


def test_three_treatments_do_not_fit_into_half_the_stock():
    with pytest.raises(ProcedureError, match=r"step 12 \(treatment-EG\): expected at most"):
        run_procedure(PROCEDURE, alternatives=("GL", "EDTA", "E+G"))


def test_what_is_no_procedure_is_refused(tmp_path):
    for text, message in (
        ("a: [", "line 1: expected a procedure in YAML"),
        ("- 1\n- 2\n", "expected a mapping"),
        ("", "an empty file"),
        ("!!python/object/apply:os.system ['true']", "expected a procedure in YAML"),
    ):
        (tmp_path / "p.yaml").write_text(text)
        with pytest.raises(FormatError, match=message):
            load_procedure(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    "arguments", [{"x": 1.2}, {"x": -0.1}, {"x": 0.5, "lead": 0}, {"x": 0.5, "volume": 1.0}]
)
def test_impossible_recipes_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        recipe_of(**arguments)


def test_impossible_crystals_are_refused():
    for arguments in ((5, 2), (-3, 0), (10, 1, 1.3)):
        with pytest.raises(ValueError, match="expected"):
            CrystalPopulation(*arguments)


def test_drawings_are_the_molecules_of_the_procedure():
    drawings = molecules.read_molecules(DATA / "molecules.json")
    for key, molecule in drawings.items():
        counts = {e: molecule.elements.count(e) for e in set(molecule.elements)} | {
            "H": sum(molecule.hydrogens)
        }
        assert counts == dict(composition(PROCEDURE.chemicals[key].formula)), key


def test_a_broken_drawing_is_refused(tmp_path):
    (tmp_path / "m.json").write_text(
        '{"molecules": {"x": {"atoms": [{"element": "C", "hydrogens": 4, "x": 0, "y": '
        '0}], "bonds": [[0, 3, 1]]}}}'
    )
    with pytest.raises(ValueError, match="x: expected bonds between atoms 0 to 0, found atom 3"):
        molecules.read_molecules(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("name", "formula", "density", "known"),
    [
        ("DMF", "C3H7NO", "", True),
        ("propanamide", "C3H7NO", "", False),
        ("dmf", "C3H7NO", "0.9 g/mL", True),
    ],
)
def test_a_weighed_solvent_takes_its_density_from_the_table_and_says_so(
    tmp_path, name, formula, density, known
):
    solvent = {"formula": formula, "state": "liquid"} | ({"density": density} if density else {})
    content = {
        "title": "t",
        "chemicals": {name: solvent},
        "steps": [{"id": "a", "add": {"chemical": name, "mass": "9.446 g", "to": "flask"}}],
    }
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content))
    outcome = run_procedure(load_procedure(tmp_path / "p.yaml"))
    volume = outcome.vessels["flask"].volume_mL
    said = " ".join(outcome.assumptions)
    if not known:
        assert volume == 0 and "adds no volume" in said
    elif density:
        assert volume.nominal_value == pytest.approx(9.446 / 0.9) and not said
    else:
        assert volume.nominal_value == pytest.approx(10.0)
        assert volume.std_dev == pytest.approx(0.03, rel=0.01)
        assert "0.9446 g/mL at 25 °C" in said and "J. Chem. Eng. Data" in said


def test_components_of_formulas_with_letters_for_cations():
    assert components("Cs0.05FA0.79MA0.16Pb(I0.83Br0.17)3") == pytest.approx(
        {"Cs": 0.05, "FA": 0.79, "MA": 0.16, "Pb": 1, "I": 2.49, "Br": 0.51}
    )
    assert components("PEA2(CH3NH3)Pb2I7") == {"PEA": 2, "MA": 1, "Pb": 2, "I": 7}
    assert components("BaTiO3") == {"Ba": 1, "Ti": 1, "O": 3}
    assert molar_mass(salt("FAI").formula).nominal_value == pytest.approx(171.97, abs=0.01)
    assert salt("MAI 98 %").purity == pytest.approx(0.98) and salt("MAI").purity is None
    for wrong in ("CsPb(Br3", "Cs)2", "cspbbr3", "", "3", "Pb·I2"):
        with pytest.raises(ValueError, match="formula: expected elements"):
            components(wrong)


def test_the_recipe_calculator_mixes_sites_and_exports_its_choices(tmp_path):
    from peled.lab import open_folder

    lab = open_folder("synthesis", results_dir=tmp_path)
    lab.explore("recipe", salts="PbI2, CsI 99 %, MABr", concentration_mol_L=0.4, batches=30)
    planned = lab._others["recipe"]
    assert planned.sheet.target == {"Cs": 1, "Pb": 1, "Br": 3}  # the product of the folder
    assert planned.sheet.volume_mL == 30  # as many batches as asked for
    planned.choose(replaced="Br", by="I", share=0.2)
    assert planned.sheet.target == pytest.approx({"Cs": 1, "Pb": 1, "Br": 2.4, "I": 0.6})
    planned.choose(target="Cs0.5MA0.5Pb(Br0.8I0.2)3", share=0.0)
    names = {path.name for path in lab.export()}
    assert {"weighing_sheet.csv", "weighing_sheet.html", "recipe.explored.json"} <= names
    kept = yaml.safe_load((tmp_path / "recipe.explored.json").read_text())
    assert (kept["target"], kept["batches"]) == ("Cs0.5MA0.5Pb(Br0.8I0.2)3", 30)
    planned.choose(target="CdSe")
    assert planned.sheet is None and not planned.files
    assert "found Cd, Se" in planned.axes.texts[0].get_text()


def test_a_tolerance_that_the_balance_cannot_hold_is_said():
    (said,) = (s for s in recipe_of(0.5, batch_volume=0.01).expected if "balance" in s)
    twice = 2 * Laboratory().balance_repeatability_mg
    assert f"below {twice:g} mg, twice what the balance" in said
    assert not any("balance" in s for s in recipe_of(0.5, batch_volume=10).expected)


def test_solids_take_room_between_none_and_that_of_their_crystals(tmp_path):
    """The error is the root mean square of a rectangle that begins at none."""
    content = {
        "title": "room",
        "chemicals": {
            "salt": {"formula": "PbI2", "releases": {"Pb": 1}, "density": "6.16 g/mL"},
            "solvent": {"formula": "C3H7NO"},
        },
        "steps": [
            {
                "id": "s",
                "add": [
                    {"chemical": "salt", "mass": "616 mg", "to": "flask"},
                    {"chemical": "solvent", "volume": "2 mL", "to": "flask"},
                ],
                "transfer": {"from": "flask", "to": "vial", "volume": "1 mL"},
            }
        ],
    }
    (tmp_path / "procedure.yaml").write_text(yaml.safe_dump(content))
    sharp = Laboratory(0, 0, 0, 0)
    outcome = run_procedure(load_procedure(tmp_path / "procedure.yaml"), sharp)
    got = outcome.vessels["vial"].amounts["Pb"]
    shared = outcome.added["Pb"].std_dev / outcome.added["Pb"].nominal_value
    draws = np.random.default_rng(1).uniform(0, 0.1, 100_000)
    expected = np.sqrt(np.mean((1 / (2 + draws) - 0.5) ** 2)) / 0.5
    relative = got.std_dev / got.nominal_value
    assert np.sqrt(relative**2 - shared**2) == pytest.approx(expected, rel=0.05)
    assert "at most salt 0.1 mL" in outcome.assumptions[0]


@pytest.mark.parametrize(
    ("formula", "density"),
    [("PbI2", 6.16), ("CsI", 4.51), ("NaCl", 2.165), ("Cs2CO3", 4.24), ("KCl", 1.98), ("CuI", 5.67),
     ("C10H16N2O8", 1.57), ("C6H12O6", 1.54)],
)  # fmt: skip
def test_the_room_of_atoms_is_above_that_of_crystals_and_below_twice_it(formula, density):
    unknown = procedure._room_mL_mmol(Chemical("x", "x", formula, {}))
    known = procedure._room_mL_mmol(Chemical("x", "x", formula, {}, density_g_mL=density))
    assert known == pytest.approx(molar_mass(formula).nominal_value / density / 1000)
    assert 1.0 < unknown / known < 2.0


def test_a_paste_is_weighed(tmp_path):
    content = {
        "title": "paste",
        "chemicals": {
            "paste": {
                "formula": "Ag",
                "releases": {"Ag": 1},
                "state": "paste",
                "purity": "20 %",
                "grade": "technical",
                "density": "1.5 g/mL",
            }
        },
        "steps": [{"id": "s", "add": {"chemical": "paste", "mass": "1.5 g", "to": "flask"}}],
    }
    file = tmp_path / "procedure.yaml"
    file.write_text(yaml.safe_dump(content))
    flask = run_procedure(load_procedure(file)).vessels["flask"]
    assert flask.amounts["Ag"].nominal_value == pytest.approx(300 / 107.87, rel=1e-3)
    assert flask.volume_mL.nominal_value == pytest.approx(1.0)
    content["steps"][0]["add"] = {"chemical": "paste", "volume": "1 mL", "to": "flask"}
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ProcedureError, match="a paste is weighed"):
        run_procedure(load_procedure(file))


def test_a_mixture_takes_what_is_listed_first_at_a_third_of_the_cost():
    """Each next one costs three times as much: four of the first against one of the second."""

    def bottle(name, **releases):
        return Chemical(name, name, "CsI", releases)

    def mixed(target, *salts):
        return {s.name: n for s, n in recipe._mixture(target, salts)}

    one, two, four = (bottle(name, X=n) for name, n in (("one", 1.0), ("two", 2.0), ("four", 4.0)))
    assert mixed({"X": 4.0}, one, bottle("same", X=1.0)) == pytest.approx({"one": 4.0})
    assert mixed({"X": 4.0}, one, four) == pytest.approx({"four": 1.0})  # 3 against 4
    assert mixed({"X": 4.0}, one, two) == pytest.approx({"one": 4.0})  # 6 against 4
    assert mixed({"X": 4.0}, one, two, four) == pytest.approx({"one": 4.0})  # 9 against 4
    assert mixed({"X": 1.0, "Y": 0.5}, bottle("both", X=1.0, Y=1.0), one, bottle("no", Z=1.0)) == (
        pytest.approx({"both": 0.5, "one": 0.5})
    )
    with pytest.raises(ValueError, match="charges balance"):
        mixed({"X": 1.0, "Y": 2.0}, bottle("both", X=1.0, Y=1.0), one)
    with pytest.raises(ValueError, match="components that salts bring"):
        mixed({"X": 1.0, "Y": 2.0}, one)
