"""The synthesis room: amounts, conservation, crystals, recipes, and what a bad procedure is told."""

import copy

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from uncertainties import ufloat

from hassan2021.simulate import synthesis as bench
from hassan2021.verdicts import synthesis as verdicts
from ledger import files, paper
from peled import materials, molecules
from peled.formats import FormatError
from peled.synthesis import (
    CrystalPopulation,
    Laboratory,
    ProcedureError,
    UnitError,
    amount_mmol,
    lead_complex_ceiling,
    load_procedure,
    make_recipe,
    molar_mass,
    parse_quantity,
    run_procedure,
)
from peled.synthesis.crystals import sedimentation_mm, sedimenting_diameter_nm
from peled.synthesis.procedure import yield_limit_mmol

DATA = files.ROOT / "data" / "synthesis"
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
            pytest.approx(error, rel=0.6),
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
    # what closes it closes it: the concentration, the shell, and the number of batches are three views of one gap
    assert balance.closing_concentration_mg_mL.nominal_value * 12 == pytest.approx(
        balance.lead_limit_mg.nominal_value
    )
    assert 480 * (1 - balance.closing_shell_fraction) == pytest.approx(
        balance.lead_limit_mg.nominal_value
    )
    assert balance.closing_batches == pytest.approx(480 / 343.8, rel=1e-3)


def test_the_procedure_file_holds_the_papers_printed_numbers():
    facts = verdicts.Facts(PROCEDURE)
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
    keep=st.dictionaries(st.sampled_from(["Pb", "I", "Br", "MA"]), st.floats(0, 1)),
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
    injected = lead / solvent * 6 * laboratory.measured_mL(0.2)
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


@settings(max_examples=100)
@given(x=st.floats(0, 1), lead=st.floats(0.01, 2), volume=st.floats(1, 100))
def test_any_recipe_has_the_composition_it_was_made_for(x, lead, volume):
    recipe = make_recipe(
        x, lead_mol_L=lead, volume_mL=volume, batches=2, batch_volume_mL=volume / 4
    )
    amounts = {
        w.salt: w.mass_mg
        / molar_mass({"MAI": "CH3NH3I", "MABr": "CH3NH3Br"}.get(w.salt, w.salt)).nominal_value
        for w in recipe.weighings
    }
    bromide = 2 * amounts.get("PbBr2", 0) + amounts.get("MABr", 0)
    iodide = 2 * amounts.get("PbI2", 0) + amounts.get("MAI", 0)
    plumbum = amounts.get("PbBr2", 0) + amounts.get("PbI2", 0)
    methylammonium = amounts.get("MABr", 0) + amounts.get("MAI", 0)
    assert bromide / (bromide + iodide) == pytest.approx(x, abs=1e-9)
    assert plumbum == pytest.approx(lead * volume) and methylammonium == pytest.approx(plumbum)
    assert bromide + iodide == pytest.approx(3 * plumbum)


def test_a_recipe_of_the_paper_is_the_papers():
    recipe = make_recipe(1 / 3)
    masses = {w.salt: w.mass_mg for w in recipe.weighings}
    assert (
        masses["PbI2"] == pytest.approx(922, abs=0.5)
        and masses["MABr"] == pytest.approx(224, abs=0.5)
        and set(masses) == {"PbI2", "MABr"}
    )
    assert recipe.largest_yield_mg == pytest.approx(343.8, rel=2e-3)


def test_tolerances_keep_the_target():
    recipe = make_recipe(0.2, tolerance_x=0.004)
    rng = np.random.default_rng(1)
    formulas = {"MAI": "CH3NH3I", "MABr": "CH3NH3Br", "PbI2": "PbI2"}
    moles = {
        w.salt: rng.normal(w.mass_mg, w.tolerance_mg, 100_000)
        / molar_mass(formulas[w.salt]).nominal_value
        for w in recipe.weighings
    }
    x = moles["MABr"] / (moles["MABr"] + moles["MAI"] + 2 * moles["PbI2"])
    assert 0.5 * 0.004 < x.std() <= 0.004 * 1.01


def test_weighing_sheets():
    recipe = make_recipe(0.6)
    assert (
        recipe.to_csv().splitlines()[0].startswith("salt,")
        and len(recipe.to_csv().splitlines()) == 4
    )
    assert "PbBr2" in recipe.to_html() and recipe.to_html().startswith("<!DOCTYPE html>")


@given(st.floats(0, 1), st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0.1, 10))
def test_the_yield_uses_up_exactly_what_limits_it(x, lead, iodide, bromide):
    amounts = {"Pb": ufloat(lead, 0.01), "I": ufloat(iodide, 0.01), "Br": ufloat(bromide, 0.01)}
    largest, limiting = yield_limit_mmol(amounts, x)
    used = {"Pb": largest, "I": 3 * (1 - x) * largest, "Br": 3 * x * largest}
    assert all(used[c].nominal_value <= amounts[c].nominal_value * (1 + 1e-9) for c in used)
    assert used[limiting].nominal_value == pytest.approx(amounts[limiting].nominal_value)


def test_stokes_law_and_its_inverse():
    options = {"density_g_cm3": 4.0, "rpm": 5000, "minutes": 5, "rotor_mm": 80}
    assert sedimenting_diameter_nm(sedimentation_mm(20, **options), **options) == pytest.approx(20)
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
    ],
)
def test_a_bad_procedure_is_told_where(tmp_path, edit, message):
    content = copy.deepcopy(CONTENT)
    edit(content)
    path = tmp_path / "procedure.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    with pytest.raises(ProcedureError, match=message):
        run_procedure(load_procedure(path))


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
    "arguments",
    [{"x_br": 1.2}, {"x_br": -0.1}, {"x_br": 0.5, "lead_mol_L": 0}, {"x_br": 0.5, "batches": 100}],
)
def test_impossible_recipes_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        make_recipe(**arguments)


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
        from peled.synthesis.amounts import composition

        assert counts == dict(composition(PROCEDURE.chemicals[key].formula)), key


def test_a_broken_drawing_is_refused(tmp_path):
    (tmp_path / "m.json").write_text(
        '{"molecules": {"x": {"atoms": [{"element": "C", "hydrogens": 4, "x": 0, "y": 0}], "bonds": [[0, 3, 1]]}}}'
    )
    with pytest.raises(ValueError, match="x: expected bonds between atoms 0 to 0, found atom 3"):
        molecules.read_molecules(tmp_path / "m.json")
