"""Readers of atomistic outputs and structures: the right number in the right unit, and nothing
that did not converge.
"""

import re
import types
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pwscf_text as espresso
from peled.energetics.comparability import compare
from peled.formats import FormatError
from peled.formats.atomistic import formula, read_calculation, read_structure
from peled.formats.atomistic.kpoints import sampling
from peled.formats.atomistic.outputs import HARTREE_EV, RYDBERG_EV
from peled.formats.atomistic.structures import BOHR_ANGSTROM, element

VASP = """ vasp.5.4.1 24Jun15 (build Jan 02 2020 16:21:29) gamma-only
   VRHFIN =N: s2p3
   LEXCH  = PE
   VRHFIN =H: ultrasoft test
   LEXCH  = PE
   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   number of bands    NBANDS=     32
   ions per type =               1   3
   ENCUT  = 400.0 eV  29.40 Ry    5.42 a.u.
   NSW    =     10    number of steps for IOM
   IBRION =      2    ionic relax: 0-MD 1-quasi-New 2-CG
   IVDW   = 11
   GGA     =    --    GGA type
   LEXCH   =     8    internal setting for exchange type
  energy without entropy =      408.28018356  energy(sigma->0) =      408.28018356
 aborting loop because EDIFF is reached
      direct lattice vectors                 reciprocal lattice vectors
    10.000000000  0.000000000  0.000000000     0.100000000  0.000000000  0.000000000
     0.000000000 10.000000000  0.000000000     0.000000000  0.100000000  0.000000000
     0.000000000  0.000000000 10.000000000     0.000000000  0.000000000  0.100000000
 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
      5.00000      5.00000      5.00000         0.0 0.0 0.0
      5.94000      5.00000      4.70000         0.0 0.0 0.0
      4.53000      5.81400      4.70000         0.0 0.0 0.0
      4.53000      4.18600      4.70000         0.0 0.0 0.0
  free  energy   TOTEN  =       -19.50000000 eV
  energy  without entropy=      -19.54000000  energy(sigma->0) =      -19.52000000
 reached required accuracy - stopping structural energy minimisation
 General timing and accounting informations for this job:
"""  # noqa: E501
VASPRUN = """<?xml version="1.0"?>
<modeling><incar><i name="NELM">60</i><i name="ENCUT">400.0</i><i name="IBRION">-1</i></incar>
<kpoints><varray name="kpointlist"><v>0 0 0</v></varray></kpoints>
<atominfo><array name="atoms"><set><rc><c>Pb</c><c>1</c></rc><rc><c>I </c><c>2</c></rc></set></array></atominfo>
<calculation>{steps}<energy><i name="e_fr_energy">-5.1</i><i name="e_0_energy">-5.0</i></energy></calculation>
<structure name="finalpos"><crystal><varray name="basis"><v>6 0 0</v><v>0 6 0</v><v>0 0 6</v></varray></crystal><varray name="positions"><v>0 0 0</v><v>0.5 0 0</v></varray></structure>
</modeling>"""  # noqa: E501
CP2K = """ CP2K| version string:                                          CP2K version 9.1
 DFT| Charge                                                                   0
 FUNCTIONAL| PBE:
 QS| Density cutoff [a.u.]:                                                150.0
  *** SCF run converged in    12 steps ***
 ENERGY| Total FORCE_EVAL ( QS ) energy {unit}             -17.200000000000000
 PROGRAM ENDED AT                                        2022-01-01 12:00:00
"""
ORCA = """                                 * O   R   C   A *
|  1> ! B3LYP def2-SVP D3BJ TightSCF Opt
 Total Charge           Charge          ....    2
                *                SCF CONVERGED AFTER  12 CYCLES                 *
---------------------------------
CARTESIAN COORDINATES (ANGSTROEM)
---------------------------------
  O      0.000000    0.000000    0.117000
  H      0.000000    0.757000   -0.470000
  H      0.000000   -0.757000   -0.470000

FINAL SINGLE POINT ENERGY       -76.321000000000
                             ****ORCA TERMINATED NORMALLY****
"""
XTB = """      |                           x T B                           |
   * xtb version 6.5.1
          :  Hamiltonian                  GFN2-xTB          :
          :  net charge                          0          :
   *** convergence criteria satisfied after 12 iterations ***
   *** GEOMETRY OPTIMIZATION CONVERGED AFTER 20 ITERATIONS ***
          | TOTAL ENERGY               -5.070544440612 Eh   |
 normal termination of xtb
 * finished run on 2022/01/01 at 12:00:00.000
"""
QEXML = """<?xml version="1.0"?><qes:espresso xmlns:qes="http://www.quantum-espresso.org/ns/qes/qes-1.0"><output>
<convergence_info><scf_conv><convergence_achieved>{done}</convergence_achieved></scf_conv></convergence_info>
<atomic_structure nat="1"><atomic_positions><atom name="Pb" index="1">0 0 1</atom></atomic_positions><cell><a1>10 0 0</a1><a2>0 10 0</a2><a3>0 0 10</a3></cell></atomic_structure>
<basis_set><ecutwfc>12.5</ecutwfc><ecutrho>100</ecutrho></basis_set><dft><functional>PBE</functional></dft><total_energy><etot>-3.5</etot></total_energy><band_structure><nks>4</nks></band_structure></output></qes:espresso>"""  # noqa: E501


def put(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def pw(energy_eV=-1000.0, **options):
    return espresso.relaxation(
        ["Pb", "I", "I"],
        np.array([[0.0, 0, 0], [3, 0, 0], [0, 3, 0]]),
        np.diag([17.71, 17.71, 30.0]),
        energy_eV,
        **options,
    )


def test_espresso_energy_settings_and_atoms(tmp_path):
    found = read_calculation(put(tmp_path, "a.out", pw(-1234.5)))
    assert found.program == "Quantum ESPRESSO"
    assert found.energy_eV == pytest.approx(-1234.5, abs=1e-6)
    assert (
        found.scf_converged and found.geometry_converged and found.finished and not found.complaints
    )
    assert found.settings["cutoff_eV"] == pytest.approx(25 * RYDBERG_EV, abs=1e-3)
    assert found.settings["functional"] == "PBE" and found.settings["dispersion"] == "DFT-D3"
    assert found.composition == Counter({"Pb": 1, "I": 2})
    assert np.allclose(np.diag(found.structure.cell), [17.71, 17.71, 30.0], atol=2e-3)
    assert np.allclose(found.structure.positions[1], [3, 0, 0])


@pytest.mark.parametrize(
    "spelt",
    [
        "SLA  PW   PBE  PBE ( 1  4  3  4 0 0)",
        "SLA PW PBX PBC ( 1  4  3  4 0 0)",
        "SLA+PW+PBX+PBC",
        "PBE\n                           (   1   4   3   4   0   0   0)",
    ],
)
def test_functional_in_the_spelling_of_older_and_newer_versions(tmp_path, spelt):
    assert (
        read_calculation(put(tmp_path, "a.out", pw(functional=spelt))).settings["functional"]
        == "PBE"
    )


def test_unconverged_self_consistency_is_refused_unless_asked_for(tmp_path):
    path = put(tmp_path, "a.out", pw(converged=False))
    with pytest.raises(FormatError, match="converged self-consistency"):
        read_calculation(path)
    assert (
        "self-consistency not reached" in read_calculation(path, allow_unconverged=True).complaints
    )


def test_interrupted_run_says_so(tmp_path):
    path = put(tmp_path, "a.out", pw(complete=False))
    with pytest.raises(FormatError, match="did not finish"):
        read_calculation(path)
    found = read_calculation(path, allow_unconverged=True)
    assert not found.finished and found.geometry_converged is False


def test_last_of_two_self_consistencies_counts(tmp_path):
    # the first failed and the second converged: usable; the other way round: not
    good, bad = pw(-10.0), pw(-20.0, converged=False)
    assert read_calculation(put(tmp_path, "a.out", bad + good)).energy_eV == pytest.approx(
        -10.0, abs=1e-6
    )
    with pytest.raises(FormatError):
        read_calculation(put(tmp_path, "b.out", good + bad))


@pytest.mark.parametrize(("done", "fine"), [("true", True), ("false", False)])
def test_espresso_xml_is_in_hartree_and_bohr(tmp_path, done, fine):
    found = read_calculation(
        put(tmp_path, "a.xml", QEXML.format(done=done)), allow_unconverged=True
    )
    assert found.energy_eV == pytest.approx(-3.5 * HARTREE_EV)
    assert found.settings["cutoff_eV"] == pytest.approx(25 * RYDBERG_EV, abs=1e-3)
    assert found.structure.positions[0][2] == pytest.approx(BOHR_ANGSTROM)
    assert found.scf_converged is fine


@pytest.mark.parametrize(("error", "fine"), [("0.9e-8", True), ("1.1e-6", False)])
def test_old_xml_says_by_its_error_whether_it_converged(tmp_path, error, fine):
    told = "<convergence_achieved>true</convergence_achieved>"
    text = QEXML.format(done="true").replace(told, f"<scf_error>{error}</scf_error>")
    assert told not in text
    text = text.replace(
        "<output>",
        "<input><electron_control><conv_thr>1.0e-7</conv_thr></electron_control></input><output>",
    )
    assert (
        read_calculation(
            put(tmp_path, "data-file-schema.xml", text), allow_unconverged=True
        ).scf_converged
        is fine
    )


def test_potentials_of_vasp_are_settings(tmp_path):
    """Pb and Pb_d must not be subtracted from each other."""
    titles = "   TITEL  = PAW_PBE N 08Apr2002\n   TITEL  = PAW_PBE H 15Jun2001\n"
    found = read_calculation(
        put(tmp_path, "OUTCAR", VASP.replace("   ions per type", titles + "   ions per type"))
    )
    assert (
        found.settings["pseudopotential N"] == "PAW_PBE N 08Apr2002"
        and found.settings["pseudopotential H"] == "PAW_PBE H 15Jun2001"
    )
    # Where the elements are not spelt out, the titles name them.
    listed = " POTCAR:    PAW_PBE N_s 08Apr2002\n POTCAR:    PAW_PBE H 15Jun2001\n"
    text = "\n".join(line for line in VASP.split("\n") if "VRHFIN" not in line).replace(
        "   ions per type", listed + "   ions per type"
    )
    bare = read_calculation(put(tmp_path, "OUTCAR1", text))
    assert (
        bare.composition == Counter({"N": 1, "H": 3})
        and bare.settings["pseudopotential N"] == "PAW_PBE N_s 08Apr2002"
    )
    types = (
        '<array name="atomtypes"><set><rc><c>1</c><c>Pb</c><c>207.2</c><c>16.</c><c>  '
        "PAW_PBE Pb_d 06Sep2000 </c></rc></set></array></atominfo>"
    )
    text = VASPRUN.format(steps="<scstep/>" * 12)
    deep, shallow = (
        read_calculation(put(tmp_path, "vasprun.xml", text.replace("</atominfo>", t)))
        for t in (types, types.replace("Pb_d", "Pb"))
    )
    assert deep.settings[
        "pseudopotential Pb"
    ] == "PAW_PBE Pb_d 06Sep2000" and deep.composition == Counter({"Pb": 1, "I": 1})
    assert any("pseudopotential Pb" in d for d in compare(deep, shallow).differences)


def test_xml_with_entities_is_refused(tmp_path):
    bomb = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa">]><modeling>&a;</modeling>'
    with pytest.raises(FormatError, match="entities"):
        read_calculation(put(tmp_path, "vasprun.xml", bomb))


def test_outcar_takes_the_ionic_energy_not_an_iteration(tmp_path):
    found = read_calculation(put(tmp_path, "OUTCAR", VASP))
    assert found.energy_eV == -19.52
    told = {"cutoff_eV": 400.0, "kpoints": "Gamma", "functional": "PBE", "dispersion": "DFT-D3"}
    assert told.items() <= found.settings.items() and found.settings["exact_exchange"] == "none"
    assert (
        found.composition == Counter({"N": 1, "H": 3})
        and found.geometry_converged
        and found.finished
    )
    assert found.structure.positions[1][0] == 5.94
    worse = VASP.replace(
        "aborting loop because EDIFF is reached",
        "aborting loop EDIFF was not reached (unconverged)",
    )
    with pytest.raises(FormatError, match="converged"):
        read_calculation(put(tmp_path, "OUTCAR2", worse))
    assert (
        read_calculation(
            put(tmp_path, "OUTCAR3", VASP.replace("reached required accuracy", "stopped"))
        ).geometry_converged
        is False
    )


@pytest.mark.parametrize(
    ("line", "setting", "value"),
    [
        ("   LSORBIT =      T    spin-orbit coupling", "spin_orbit", "yes"),
        (
            "   LHFCALC =     T    Hartree Fock is set to\n   AEXX    =    0.2500 "
            "exact\n   HFSCREEN=    0.2000",
            "exact_exchange",
            "0.25, screening 0.2",
        ),
        ("   METAGGA=      SCAN  ", "functional", "SCAN"),
        ("   ISPIN  =      2    spin polarized calculation?", "spin", "polarised"),
        ("   ISMEAR =     0;   SIGMA  =   0.05  broadening", "occupations", "gaussian 0.05 eV"),
        ("   LDIPOL =      T    correct potential", "field", "dipole correction"),
        ("   IVDW   = 12", "dispersion", "DFT-D3(BJ)"),
        ("   PREC   = low    ", "precision", "low"),
    ],
)
def test_what_vasp_was_told(tmp_path, line, setting, value):
    plain = VASP.replace("   IVDW   = 11\n", "")
    text = plain.replace("   NSW    =", f"{line}\n   NSW    =")
    found, before = (
        read_calculation(put(tmp_path, name, t))
        for name, t in (("OUTCAR", text), ("OUTCAR0", plain))
    )
    assert found.settings[setting] == value != before.settings.get(setting)
    assert before.settings["dispersion"] == "none"  # VASP prints IVDW only where it was set


def test_vasp_charge_and_machine_learning(tmp_path):
    valence = (
        "  Ionic Valenz\n   ZVAL   =   5.00  1.00\n   NELECT =       7.0000    total "
        "number of electrons\n"
    )
    assert (
        read_calculation(
            put(tmp_path, "OUTCAR", VASP.replace("   ENCUT", valence + "   ENCUT"))
        ).settings["charge"]
        == 1.0
    )
    learnt = VASP.replace(
        " reached required",
        "  ML energy  without entropy=      -19.54000000  ML energy(sigma->0) =      "
        "-19.50000000\n reached required",
    )
    with pytest.raises(FormatError, match="machine-learned"):
        read_calculation(put(tmp_path, "OUTCAR2", learnt))


def test_vasprun_of_version_5_has_its_energy_in_the_last_iteration(tmp_path):
    """Its e_0_energy of the step is the entropy term; a later parameter of the name NELM belongs
    to the response functions.
    """
    inner = '<energy><i name="e_fr_energy">-33.3690</i><i name="e_0_energy">-33.3684</i></energy>'
    text = (
        VASPRUN.replace("-5.1", "-33.3690")
        .replace("-5.0", "0.0006")
        .format(steps="<scstep/>" * 11 + f"<scstep>{inner}</scstep>")
    )
    text = text.replace("</incar>", '</incar><parameters><i name="NELM">1</i></parameters>')
    found = read_calculation(put(tmp_path, "vasprun.xml", text))
    assert found.energy_eV == pytest.approx(-33.3684, abs=1e-9) and found.scf_converged


def test_vasprun_counts_its_iterations(tmp_path):
    found = read_calculation(put(tmp_path, "vasprun.xml", VASPRUN.format(steps="<scstep/>" * 12)))
    assert found.energy_eV == -5.0 and found.composition == Counter({"Pb": 1, "I": 1})
    assert np.allclose(found.structure.positions[1], [3, 0, 0])
    with pytest.raises(FormatError):
        read_calculation(put(tmp_path, "stuck.xml", VASPRUN.format(steps="<scstep/>" * 60)))
    with pytest.raises(FormatError, match="complete XML"):
        read_calculation(put(tmp_path, "cut.xml", VASPRUN[:300]))


@pytest.mark.parametrize("unit", ["[a.u.]:", "[hartree]", "(a.u.):"])
def test_cp2k_in_all_its_spellings(tmp_path, unit):
    found = read_calculation(put(tmp_path, "cp2k.out", CP2K.format(unit=unit)))
    assert (
        found.energy_eV == pytest.approx(-17.2 * HARTREE_EV)
        and found.settings["functional"] == "PBE"
        and found.finished
    )
    with pytest.raises(FormatError):
        read_calculation(
            put(
                tmp_path,
                "bad.out",
                CP2K.format(unit=unit).replace(
                    "SCF run converged in    12 steps", "SCF run NOT converged"
                ),
            )
        )


def test_orca(tmp_path):
    found = read_calculation(put(tmp_path, "orca.out", ORCA))
    assert found.energy_eV == pytest.approx(-76.321 * HARTREE_EV) and found.settings == {
        "method": "b3lyp",
        "basis": "def2-svp",
        "dispersion": "DFT-D3BJ",
        "medium": "vacuum",
        "charge": 2,
    }
    assert formula(found.composition) == "H2O" and found.geometry_converged is None
    with pytest.raises(FormatError):
        read_calculation(
            put(tmp_path, "bad.out", ORCA.replace("SCF CONVERGED", "SCF NOT CONVERGED"))
        )


def test_xtb(tmp_path):
    found = read_calculation(put(tmp_path, "xtb.out", XTB))
    assert found.energy_eV == pytest.approx(-5.070544440612 * HARTREE_EV)
    assert found.geometry_converged and found.settings["method"] == "GFN2-xTB" and found.finished
    assert (
        read_calculation(
            put(tmp_path, "b.out", XTB.replace("CONVERGED AFTER", "stopped"))
        ).geometry_converged
        is False
    )


def test_extended_xyz_with_and_without_an_energy(tmp_path):
    text = (
        "2\nProperties=species:S:1:pos:R:3 energy=-3.25 method=GFN2-xTB charge=-1 "
        'converged=F Lattice="4 0 0 0 4 0 0 0 9"\nPb 0 0 0\nI 0 0 3\n'
    )
    found = read_calculation(put(tmp_path, "a.xyz", text))
    assert (
        found.energy_eV == -3.25
        and found.geometry_converged is False
        and found.settings["charge"] == -1
    )
    assert np.allclose(found.structure.cell, np.diag([4, 4, 9]))
    with pytest.raises(FormatError, match="energy="):
        read_calculation(put(tmp_path, "b.xyz", text.replace("energy=-3.25 ", "")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        "Program PWSCF v.6\n stopped\n",
        "CP2K| version\n",
        "3\nenergy=1\nPb 0 0 0\n",
        "1\nenergy=nan\nPb 0 0 0\n",
    ],
)
def test_useless_outputs_are_refused_by_name(tmp_path, text):
    with pytest.raises(FormatError, match=r"useless\.out"):
        read_calculation(put(tmp_path, "useless.out", text))


# ---- structures ----------------------------------------------------------------------------------

PBI2 = {
    "a.xyz": '3\nLattice="4.5 0 0 0 4.5 0 0 0 7" Properties=species:S:1:pos:R:3\nPb 0 0 0\nI '
    "2.25 0 1.5\nI 0 2.25 5.5\n",
    "POSCAR": "PbI2\n1.0\n4.5 0 0\n0 4.5 0\n0 0 7\nPb I\n1 2\nSelective dynamics\nDirect\n0 0 0 "
    "T T T\n0.5 0 0.2142857142857 T T T\n0 0.5 0.7857142857143 F F F\n",
    "CONTCAR": "PbI2\n2.0\n2.25 0 0\n0 2.25 0\n0 0 3.5\nPb I\n1 2\nCartesian\n0 0 0\n1.125 0 0.75\n"
    "0 1.125 2.75\n",
    "pw.in": "&control\n/\n&system\n ibrav=0, nat=3, ntyp=2\n/\nATOMIC_SPECIES\nPb 207.2 Pb.UPF\n"
    "I 126.9 I.UPF\nCELL_PARAMETERS angstrom\n4.5 0 0\n0 4.5 0\n0 0 7\n"
    "ATOMIC_POSITIONS (crystal)\nPb 0 0 0\nI 0.5 0 0.2142857142857 0 0 1\nI 0 0.5 "
    "0.7857142857143\n\nK_POINTS gamma\n",
    "b.cif": "data_x\n_cell_length_a 4.5\n_cell_length_b 4.5\n_cell_length_c 7\n"
    "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
    "_symmetry_space_group_name_H-M 'P 1'\nloop_\n_atom_site_label\n"
    "_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    "_atom_site_fract_z\nPb1 Pb 0 0 0\nI1 I 0.5 0 0.2142857142857\nI2 I 0 0.5 "
    "0.7857142857143\n",
}


@pytest.mark.parametrize("name", PBI2)
def test_one_structure_in_five_formats(tmp_path, name):
    found = read_structure(put(tmp_path, name, PBI2[name]))
    assert found.symbols == ("Pb", "I", "I")
    assert np.allclose(found.positions, [[0, 0, 0], [2.25, 0, 1.5], [0, 2.25, 5.5]], atol=1e-5)
    assert np.allclose(found.cell, np.diag([4.5, 4.5, 7]))


def test_poscar_with_a_volume_for_a_scale(tmp_path):
    found = read_structure(
        put(tmp_path, "POSCAR", PBI2["POSCAR"].replace("\n1.0\n", f"\n{-8 * 4.5 * 4.5 * 7}\n"))
    )
    assert np.allclose(found.cell, np.diag([9, 9, 14]))


def test_cif_symmetry_is_applied(tmp_path):
    text = PBI2["b.cif"].replace("'P 1'", "'P -1'").replace("I2 I 0 0.5 0.7857142857143\n", "")
    assert sorted(read_structure(put(tmp_path, "c.cif", text)).symbols) == ["I", "I", "Pb"]


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        ("a.xyz", "I 0 2.25 5.5\n", "", "3 atoms"),
        ("a.xyz", "Pb 0 0 0", "Pb 0 x 0", "3 numbers"),
        ("a.xyz", "Pb 0", "?? 0", "element"),
        ("POSCAR", "Pb I\n", "1 2\n", "element symbols"),
        ("POSCAR", "1 2\nSel", "1\nSel", "2 atom counts"),
        ("POSCAR", "0 4.5 0\n", "9 0 0\n", "span a volume"),
        (
            "pw.in",
            "CELL_PARAMETERS angstrom\n4.5 0 0\n0 4.5 0\n0 0 7\n",
            "",
            "input of Quantum ESPRESSO",
        ),
        ("POSCAR", "0 0.5 0.7857142857143 F F F\n", "", "POSCAR"),
        ("POSCAR", "0.5 0 0.2142857142857", "0.5 nan 0.2142857142857", "no numbers"),
        (
            "b.cif",
            "Pb1 Pb 0 0 0\nI1 I 0.5 0 0.2142857142857\nI2 I 0 0.5 0.7857142857143\n",
            "",
            "CIF|sites",
        ),
    ],
)
def test_broken_structures_are_refused(tmp_path, name, old, new, what):
    assert old in PBI2[name]
    with pytest.raises(FormatError, match=what):
        read_structure(put(tmp_path, name, PBI2[name].replace(old, new)))


@given(
    st.lists(
        st.tuples(st.sampled_from(["Pb", "I", "C", "N", "H", "Cs"]), *[st.floats(-50, 50)] * 3),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=40, deadline=None)
def test_what_is_written_as_xyz_is_read_back(tmp_path_factory, atoms):
    text = f"{len(atoms)}\nany comment, even 'this\n" + "".join(
        f"{s} {x:.8f} {y:.8f} {z:.8f}\n" for s, x, y, z in atoms
    )
    found = read_structure(put(tmp_path_factory.mktemp("x"), "a.xyz", text))
    assert found.symbols == tuple(a[0] for a in atoms)
    assert np.allclose(found.positions, [a[1:] for a in atoms], atol=1e-7)


@pytest.mark.parametrize(
    ("label", "symbol"),
    [
        ("Pb", "Pb"),
        ("PB", "Pb"),
        ("C12", "C"),
        ("H_ca", "H"),
        ("I1-", "I"),
        ("Cs", "Cs"),
        ("D", "H"),
        ("Pb.pbe", "Pb"),
        ("12", None),
    ],
)
def test_elements_of_labels(label, symbol):
    assert element(label) == symbol


# ---- meshes of k-points --------------------------------------------------------------------------

HEXAGONAL = np.array([[4.0, 0, 0], [-2.0, 2 * 3**0.5, 0], [0, 0, 15.0]])
LATTICES = {
    "cubic": np.eye(3) * 6,
    "hexagonal": HEXAGONAL,
    "rectangular": np.diag([4.0, 5.0, 9.0]),
    "face-centred": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 2.8,
    "oblique": np.array([[4, 0, 0], [1, 5, 0], [0.7, 0.9, 6]]),
}


def reduced(size, shift, operations, rng):
    """One point of each orbit of a mesh, at random, and how many points it stands for."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), -1).reshape(-1, 3)
    left, points, weights = {tuple(row) for row in grid.tolist()}, [], []
    while left:
        first = (np.array(min(left)) + shift) / size
        orbit = {
            tuple((np.round((first @ w) * size - shift).astype(int) % size).tolist())
            for w in operations
        } & left
        left -= orbit
        points.append((np.array(sorted(orbit)[rng.integers(len(orbit))]) + shift) / size)
        weights.append(len(orbit))
    return np.round(points, 7), np.round(np.array(weights) / sum(weights), 7)


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 2, 1), (4, 4, 1), (3, 3, 2), (4, 2, 1), (6, 6, 6)])
@pytest.mark.parametrize("shift", [(0, 0, 0), (0.5, 0.5, 0)])
def test_the_mesh_does_not_depend_on_how_many_points_symmetry_leaves(lattice, size, shift):
    cell, rng = LATTICES[lattice], np.random.default_rng(sum(size))
    found = set()
    for operations in ([np.eye(3)], [np.eye(3), -np.eye(3)]):
        points, weights = reduced(np.array(size), np.array(shift), operations, rng)
        found.add(sampling(points, weights, cell))
    moved = " k-points, shifted 1 1 0" if any(shift) else " k-points"
    expected = "x".join(map(str, size)) + moved
    assert found == {"Gamma" if expected == "1x1x1 k-points" else expected}


def test_a_mesh_that_the_lattices_symmetry_folds_up():
    """Hexagonal 2 x 2 leaves two points, on one axis only; with the weights of a line they are a
    line.
    """
    points = [[0, 0, 0], [0, 0.5, 0]]
    assert sampling(points, [1, 3], HEXAGONAL) == "2x2x1 k-points"
    assert sampling(points, [1, 1], HEXAGONAL) == "1x2x1 k-points"
    path = np.linspace([0, 0, 0], [0.5, 0.31, 0.17], 17)
    assert sampling(path, np.ones(17), HEXAGONAL) == "17 irreducible k-points"


# ---- the ground state of ORCA, and its blocks ----------------------------------------------------


def test_orca_with_excited_states_gives_the_ground_state(tmp_path):
    states = "    E(SCF)  =    -76.521000000 Eh\n    DE(CIS) =      0.200000000 Eh (Root  1)\n"
    excited = ORCA.replace("FINAL SINGLE", states + "FINAL SINGLE")
    found = read_calculation(put(tmp_path, "td.out", excited))
    assert found.energy_eV == pytest.approx(-76.521 * HARTREE_EV)
    rocis = ORCA.replace("FINAL SINGLE", "|  3> % Rocis NRoots 5 end\nFINAL SINGLE")
    with pytest.raises(FormatError, match="excited states"):
        read_calculation(put(tmp_path, "rocis.out", rocis))
    unclear = excited.replace("-76.521000000", "-70.000000000")
    with pytest.raises(FormatError, match="ground state"):
        read_calculation(put(tmp_path, "odd.out", unclear))


def test_order_and_talk_of_orcas_keywords_do_not_matter_and_blocks_do(tmp_path):
    def settings(*lines):
        echo = "\n".join(f"|{k:3d}> {line}" for k, line in enumerate(lines, 1))
        text = re.sub(r"\|  1> [^\n]*", echo, ORCA)
        return read_calculation(put(tmp_path, "o.out", text)).settings

    plain = settings("! B3LYP D3BJ def2-SVP")
    assert settings("! MiniPrint def2-SVP TightSCF D3BJ", "! B3LYP NoAutoStart PAL4") == plain
    water = settings(
        "! B3LYP D3BJ def2-SVP CPCM", "%cpcm", " smd true", ' SMDsolvent "WATER"', " end"
    )
    assert water["medium"] == "water (smd)" and plain["medium"] == "vacuum"
    assert settings("! B3LYP D3BJ def2-SVP CPCM(Toluene)")["medium"] == "toluene (cpcm)"
    own = settings("! B3LYP D3BJ", "%basis", ' basis "def2-TZVP"', " end")
    assert own["basis"] != plain["basis"] and "tzvp" in own["basis"]
    assert settings("! B3LYP def2-SVP")["dispersion"] == "none"
    assert "dispersion" not in settings("! r2SCAN-3c")


# ---- programs that other packages read -----------------------------------------------------------

GAUSSIAN_TEXT = """ Entering Gaussian System, Link 0=g16
 #p mp2/def2svp
 SCF Done:  E(RHF) =  -75.9600000000     A.U. after   10 cycles
 E2 =    -0.2000000000D+00 EUMP2 =    -0.76160000000000D+02
 Normal termination of Gaussian 16
"""


@pytest.fixture
def theirs(monkeypatch):
    """What cclib gives of a file, in eV by its own constant."""
    cclib = pytest.importorskip("cclib")
    unit = cclib.parser.utils.convertor(1.0, "hartree", "eV")
    data = types.SimpleNamespace(
        metadata={"methods": ["HF", "MP2"], "basis_set": "def2SVP", "legacy_package_version": "16"},
        scfenergies=np.array([-75.96 * unit]),
        mpenergies=np.array([[-76.16 * unit]]),
        atomnos=np.array([8, 1, 1]),
        atomcoords=np.zeros((1, 3, 3)),
        charge=0,
        mult=1,
        nelectrons=10,
    )
    monkeypatch.setattr(
        "cclib.io.ccopen", lambda *_, **__: types.SimpleNamespace(parse=lambda: data)
    )
    return data


def test_the_total_of_a_correlated_method_and_its_settings(tmp_path, theirs):
    found = read_calculation(put(tmp_path, "g.log", GAUSSIAN_TEXT))
    assert found.energy_eV == pytest.approx(-76.16 * HARTREE_EV, abs=1e-6)
    assert found.settings == {
        "method": "mp2",
        "basis": "def2svp",
        "charge": 0,
        "spin": "none",
        "medium": "vacuum",
        "electrons": 10,
    }
    assert formula(found.composition) == "H2O" and found.finished


def test_the_ground_state_of_single_excitations_is_that_of_the_scf(tmp_path, theirs):
    """Gaussian prints a second-order energy on the way to CIS; it is of no state asked for."""
    text = GAUSSIAN_TEXT.replace("#p mp2/def2svp", "#p CIS(D,50-50,NStates=5)/def2svp density")
    found = read_calculation(put(tmp_path, "cis.log", text))
    assert found.energy_eV == pytest.approx(-75.96 * HARTREE_EV, abs=1e-6)
    assert found.settings["method"] == "hf"


def test_two_readings_of_a_total_that_differ_are_refused(tmp_path, theirs):
    del theirs.mpenergies
    with pytest.raises(FormatError, match=r"-76\.16000000 hartree .* -75\.96000000 by cclib"):
        read_calculation(put(tmp_path, "g.log", GAUSSIAN_TEXT))
    with pytest.raises(FormatError, match="did not finish"):
        theirs.mpenergies = theirs.scfenergies[None] * 76.16 / 75.96
        read_calculation(put(tmp_path, "cut.log", GAUSSIAN_TEXT.replace("Normal", "Error")))


def test_a_gibbs_correction_given_as_a_sum_or_by_itself(tmp_path, theirs):
    for theirs.freeenergy in (-76.16 + 0.004, 0.004):
        found = read_calculation(put(tmp_path, "g.log", GAUSSIAN_TEXT))
        assert found.thermal_eV == pytest.approx(0.004 * HARTREE_EV, abs=1e-6)


def test_what_a_package_stumbles_over_is_a_format_error(tmp_path):
    pytest.importorskip("cclib")
    with pytest.raises(FormatError):
        read_calculation(put(tmp_path, "g.log", GAUSSIAN_TEXT))


CASTEP_TEXT = """ | CCC   AA    SSS  TTTTT  EEEEE  PPPP  |
 | Welcome to CASTEP version 20.11 |
 using functional                               : Perdew Burke Ernzerhof
 DFT+D: Semi-empirical dispersion correction    : on
 SEDC with                                      : TS correction scheme
 plane wave basis set cut-off                   :   500.0000   eV
 number of  electrons                           :  8.000
 net charge of system                           :  0.000
                       MP grid size for SCF calculation is  4  4  1
                            with an offset of   0.000  0.000  0.000
Final energy, E             =  -214.5000000000     eV
NB est. 0K energy (E-0.5TS)      =  -214.5100000000     eV
NB dispersion corrected est. 0K energy* (E-0.5TS) =  -215.4100000000     eV
Total time          =      4.04 s
"""


def test_castep(tmp_path):
    found = read_calculation(put(tmp_path, "a.castep", CASTEP_TEXT))
    assert found.energy_eV == pytest.approx(-215.41) and found.finished
    assert found.settings["functional"] == "PBE" and found.settings["dispersion"] == "TS"
    assert found.settings["kpoints"] == "4x4x1 k-points, shifted 1 1 0"
    assert found.settings["cutoff_eV"] == 500.0
    offset = CASTEP_TEXT.replace("0.000  0.000  0.000", "0.125  0.125  0.000")
    assert (
        read_calculation(put(tmp_path, "b.castep", offset)).settings["kpoints"] == "4x4x1 k-points"
    )


AIMS_TEXT = """          Invoking FHI-aims ...
  Parsing control.in (first pass over file, find array dimensions only).
    xc                 pbe
    spin               collinear
    k_grid             4 4 1
    vdw_correction_hirshfeld
  Completed first pass over input file control.in .
  Self-consistency cycle converged.
  | Total energy uncorrected      :         -0.580000000000000E+05 eV
  | Total energy corrected        :         -0.580000100000000E+05 eV  <-- do not rely on this value for anything but (periodic) metals
          Have a nice day.
"""  # noqa: E501


def test_aims(tmp_path):
    found = read_calculation(put(tmp_path, "aims.out", AIMS_TEXT))
    assert found.energy_eV == pytest.approx(-58000.01) and found.finished
    wanted = {
        "functional": "PBE",
        "spin": "polarised",
        "kpoints": "4x4x1 k-points",
        "dispersion": "TS",
    }
    assert wanted.items() <= found.settings.items()
    cut = AIMS_TEXT.replace("cycle converged", "cycle not yet converged")
    with pytest.raises(FormatError, match="self-consistency not reached"):
        read_calculation(put(tmp_path, "cut.out", cut))


# ---- relaxations that stopped --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ediffg", "force", "free", "settled"),
    [
        ("-0.02", 0.01, "T T T", True),
        ("-0.02", 0.30, "T T T", False),
        ("-0.02", 0.30, "F F F", True),
        ("1e-3", 0.30, "T T T", None),
    ],
)
def test_a_relaxation_is_judged_by_its_forces_and_not_by_its_number_of_steps(
    tmp_path, ediffg, force, free, settled
):
    """Cut at the first of sixty steps: a file that is complete and says nothing of it."""
    text = f"""<modeling><incar><i name="IBRION">2</i><i name="NSW">60</i><i name="EDIFFG">{ediffg}</i></incar>
<structure name="initialpos"><varray name="selective"><v>{free}</v></varray></structure>
<calculation><scstep/><varray name="forces"><v>{force} 0 0</v></varray><energy><i name="e_fr_energy">-3.0</i>
<i name="e_0_energy">-3.0</i></energy></calculation></modeling>"""  # noqa: E501
    found = read_calculation(put(tmp_path, "vasprun.xml", text))
    assert found.geometry_converged is (False if settled is None else settled)


def test_the_last_step_of_vasp_has_to_converge(tmp_path):
    """Up to version 5 nothing is said where NELM is reached; an earlier step's good word must not
    count.
    """
    step = (
        " Iteration      {}(   1)\n{}  energy  without entropy=   -3.0  energy(sigma->0) =  -3.0\n"
    )
    good = "------ aborting loop because EDIFF is reached ------\n"
    end = " General timing and accounting\n"
    text = step.format(1, good) + step.format(2, "") + end
    with pytest.raises(FormatError, match="self-consistency not reached"):
        read_calculation(put(tmp_path, "OUTCAR", " vasp.5.4\n" + text))
    whole = step.format(1, good) + step.format(2, good) + end
    assert read_calculation(put(tmp_path, "OUTCAR", " vasp.5.4\n" + whole)).scf_converged


def test_an_input_with_a_line_of_brackets_is_refused_at_once(tmp_path):
    (tmp_path / "pw.in").write_text("ATOMIC_POSITIONS angstrom\nI 3.0 0.0" + "(" * 30_000 + "\n")
    with pytest.raises(FormatError, match="line 2: expected at most 2000 characters in a line"):
        read_structure(tmp_path / "pw.in")
