"""Complexes of the free lead ion with glutathione and EDTA: conformer search in tight binding, then PBE-D3 in PySCF.

With neutral ligands, [Pb(EDTA)]2+ and [Pb(GL)]2+, as the paper labels them, searched in vacuum; and with the anions that
bind in water, searched in an implicit one (ALPB). The search starts from a lead ion put into pockets of many ligand
conformers, goes on by metadynamics in the GFN force field and in GFN2-xTB (`molecules`), and ends with `tblite`. In
PBE-D3(BJ) all kept conformers of complex and ligand are ranked again in def2-SVP (density fitting, def2 core potential on
lead), the lowest of each go to def2-TZVP, into implicit solvent (IEF-PCM) and through the counterpoise of the pair.

Which conformers are lowest is read from the kept files when the list of jobs is made: after a search, list again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from hassan2021.recompute import molecules
from hassan2021.recompute.jobs import FOLDER, Job
from hassan2021.recompute.molecules import HARTREE_EV, SEED, SMILES, Frame, Search
from hassan2021.recompute.solvent import stored_pcm
from ledger.files import write_atomically
from peled.formats.atomistic import read_numbers

HERE = FOLDER / "lead"
DONORS = ("N", "O", "S")
LEAD_CHARGE = 2
#: Relative permittivities at 298 K; water doi:10.1063/1.1461829, DMSO as tabulated by the Minnesota solvent descriptors.
PERMITTIVITY = {"water": 78.355, "dmso": 46.826}
GRID, SURFACE_ORDER = (
    1,
    17,
)  # level of PySCF's integration grids; Lebedev order of the cavity's surface
PARTS = ("ligand", "ligand+ghost", "lead+ghost")
VACUUM, SVP, TZVP = "vacuum", "def2-svp", "def2-tzvp"


@dataclass(frozen=True)
class Ligand:
    """`name` in `molecules.SMILES`; `medium` of its search; `forms`: tautomers among which the free ligand chooses."""

    name: str
    medium: str = VACUUM
    forms: tuple[str, ...] = ()

    @property
    def free(self) -> tuple[str, ...]:
        return self.forms or (self.name,)

    @property
    def complex(self) -> str:
        return f"{self.name}_on_lead_ion"


LIGANDS = (
    Ligand("edta"),
    Ligand("glutathione"),
    Ligand("edta_2-", "water", ("edta_2-", "edta_2-_zwitterion")),
    Ligand("glutathione_2-", "water"),
    Ligand("edta_4-", "water"),
    Ligand("glutathione_3-", "water"),
)
#: One donor each, small enough for large bases and the counterpoise: what the basis does to every kind of contact.
FRAGMENTS = ("acetic_acid", "methylamine", "trimethylamine", "n_methylacetamide", "methanethiol")
#: How many unlike conformers of a complex and of a ligand are ranked again in PBE-D3/def2-SVP, and how many of these go further.
RANKED, BEST = 2, 1
SEARCH = Search(
    embedded=60,
    relaxed=24,
    picoseconds=30.0,
    temperature_K=500.0,
    dynamics=2,
    dynamics_picoseconds=3.0,
    kept=6,
)
#: Anions start from the neutral ligand's conformers and complexes without their acidic protons as well; no dynamics.
SEARCH_ANION = Search(embedded=12, walks=(), relaxed=6, dynamics=0, kept=3)


def geometry_file(system: str) -> Path:
    """Where the kept GFN2-xTB conformers of a ligand or complex are."""
    return (
        FOLDER / "molecules" if system in ("edta", "glutathione", *FRAGMENTS) else HERE
    ) / f"{system}.xyz"


# ---- tight binding: the search ------------------------------------------------------------------------------------------------


def pocket(
    symbols: Sequence[str], positions: np.ndarray, rng: np.random.Generator, tries: int = 4000
) -> np.ndarray:
    """Where a lead ion reaches most donors and touches nothing: shape (3,). Donors count by a Gaussian about 2.6 angstrom."""
    donors = positions[[k for k, s in enumerate(symbols) if s in DONORS]]
    sites = donors[rng.integers(len(donors), size=tries)] + 2.0 * rng.normal(size=(tries, 3))
    nearest = np.linalg.norm(sites[:, None] - positions[None], axis=2).min(axis=1)
    reach = np.exp(
        -(((np.linalg.norm(sites[:, None] - donors[None], axis=2) - 2.6) / 0.6) ** 2)
    ).sum(axis=1)
    return sites[int(np.argmax(np.where(nearest > 2.0, reach, -1.0)))]


def denticity(frame: Frame, reach_angstrom: float = 3.0) -> int:
    """Donor atoms within reach of the first lead atom."""
    at = frame.positions[list(frame.symbols).index("Pb")]
    return sum(
        s in DONORS and bool(np.linalg.norm(p - at) < reach_angstrom)
        for s, p in zip(frame.symbols, frame.positions, strict=True)
    )


def search(
    ligand: Ligand, scratch: Path, settings: Search, old: Sequence[Frame] = ()
) -> tuple[list[Frame], list[Frame], dict]:
    """Lowest conformers of the complex in GFN2-xTB, those in which a proton moved, and how much was tried.

    Placements: a lead ion in the pocket of every embedded conformer, ranked by GFN2-xTB after a force-field relaxation; then
    metadynamics as in `molecules.search`. `old` are further starting geometries, lead first.
    """
    substance, poses = molecules.embedded(SMILES[ligand.name], settings.embedded)
    rng = np.random.default_rng(SEED)
    charge = substance.charge + LEAD_CHARGE
    placed = [
        Frame(
            ("Pb", *substance.symbols),
            np.vstack([pocket(substance.symbols, p, rng), p]),
            charge,
            medium=ligand.medium,
        )
        for p in poses
    ]

    def holds(positions: np.ndarray) -> bool:
        return substance.holds(positions[1:])

    found, changed = molecules.relax_lowest(
        molecules.ranked(placed, scratch), settings.relaxed, scratch, holds
    )
    found += molecules.relax_lowest(
        [replace(f, medium=ligand.medium) for f in old], len(old), scratch, holds
    )[0]
    tried = {"placed": len(placed), "older": len(old), "snapshots": 0}
    for k, push in enumerate(settings.walks):
        best = molecules.distinct(found)[:3]
        start = molecules.crude(best[k % len(best)], scratch / "ff", "GFN-FF", "normal") or best[0]
        snapshots = molecules.walk(
            start,
            scratch / "walk",
            "GFN-FF",
            settings.picoseconds,
            settings.temperature_K,
            push=push,
            every_fs=1000,
        )
        tried["snapshots"] += len(snapshots)
        more, other = molecules.relax_lowest(
            molecules.ranked(snapshots, scratch), settings.relaxed // 3, scratch, holds
        )
        found, changed = found + more, changed + other
    for k in range(settings.dynamics):
        # Ranked anew before each walk, so that the search follows its own finds.
        best = molecules.distinct(found)
        start = best[min(k, len(best) - 1)]
        snapshots = molecules.walk(
            start,
            scratch / "walk",
            "GFN2",
            settings.dynamics_picoseconds,
            settings.temperature_K,
            push=(0.05, 0.6),
            every_fs=250,
        )
        tried["snapshots"] += len(snapshots)
        more, other = molecules.relax_lowest(snapshots, len(snapshots), scratch, holds)
        found, changed = found + more, changed + other
    tried |= {"relaxed": len(found) + len(changed), "set_aside": len(changed)}
    final = molecules.distinct(
        molecules.quench(f) for f in molecules.distinct(found)[: settings.kept]
    )
    aside = molecules.distinct(molecules.quench(f) for f in molecules.distinct(changed)[:2])
    return [f for f in final if f.converged and holds(f.positions)], aside, tried


def deprotonated(frame: Frame, name: str) -> Frame:
    """A frame of the neutral ligand (or its complex) without the protons that `SMILES[name]` lacks; both list heavy atoms alike.

    Raises
    ------
    ValueError
        The heavy atoms are others, or `name` has hydrogens where the frame has none.
    """
    from rdkit import Chem

    ligand = Chem.MolFromSmiles(SMILES[name])
    lead = [0] if frame.symbols[0] == "Pb" else []
    symbols, positions = frame.symbols[len(lead) :], frame.positions[len(lead) :]
    heavy = [k for k, s in enumerate(symbols) if s != "H"]
    if [symbols[k] for k in heavy] != [a.GetSymbol() for a in ligand.GetAtoms()]:
        raise ValueError(
            f"{name}: expected the heavy atoms of {SMILES[name]}, found {''.join(symbols[k] for k in heavy)}"
        )
    edges = molecules.bonds(symbols, positions)
    keep = []
    for k, atom in zip(heavy, ligand.GetAtoms(), strict=True):
        mine = sorted(
            j if i == k else i for i, j in edges if k in (i, j) and "H" in (symbols[i], symbols[j])
        )
        if len(mine) < atom.GetTotalNumHs():
            raise ValueError(
                f"{name}: expected {atom.GetTotalNumHs()} hydrogens at atom {k}, found {len(mine)}"
            )
        keep += mine[: atom.GetTotalNumHs()]
    order = [*lead, *(k + len(lead) for k in (*heavy, *keep))]
    charge = molecules.charge_of(SMILES[name]) + (LEAD_CHARGE if lead else 0)
    return Frame(tuple(frame.symbols[k] for k in order), frame.positions[order], charge)


def run_search(ligand: Ligand, scratch: Path) -> None:
    """Search of one complex, from what an earlier run kept too and, for an anion, from the neutral ligand's; conformers, those with a moved proton, and the conformers in GFN1-xTB."""
    path = HERE / f"{ligand.complex}.xyz"
    old = molecules.read_frames(path) if path.exists() else []
    neutral = geometry_file(f"{ligand.name.split('_')[0]}_on_lead_ion")
    if neutral != path and neutral.exists():
        old += [deprotonated(f, ligand.name) for f in molecules.read_frames(neutral)]
    frames, aside, tried = search(
        ligand, scratch, SEARCH if ligand.medium == VACUUM else SEARCH_ANION, old
    )
    notes = {
        "smiles": SMILES[ligand.name],
        "program": molecules.program() + "; RDKit; xtb 6.5.1",
        **tried,
    }
    if aside:
        molecules.write_frames(HERE / f"{ligand.complex}.transferred.xyz", aside, **notes)
    molecules.write_frames(
        HERE / f"{ligand.complex}.gfn1.xyz",
        molecules.distinct(molecules.quench(f, "GFN1-xTB") for f in frames),
        **notes,
    )
    molecules.write_frames(path, frames, **notes)


def run_fragment(name: str, scratch: Path) -> None:
    """The lowest of six placements of the ion at a fragment, in GFN2-xTB."""
    free, rng = molecules.read_frames(geometry_file(name))[0], np.random.default_rng(SEED)
    key = molecules.graph_key(free.symbols, molecules.bonds(free.symbols, free.positions))
    starts = [
        np.vstack([pocket(free.symbols, free.positions, rng, tries=20), free.positions])
        for _ in range(6)
    ]
    found = [
        molecules.quench(Frame(("Pb", *free.symbols), at, free.charge + LEAD_CHARGE))
        for at in starts
    ]
    whole = [
        f
        for f in found
        if f.converged
        and molecules.graph_key(f.symbols, molecules.bonds(f.symbols, f.positions)) == key
    ]
    notes = {"smiles": SMILES[name], "program": molecules.program(), "placed": len(starts)}
    molecules.write_frames(HERE / f"{name}_on_lead_ion.xyz", molecules.distinct(whole)[:1], **notes)


def run_ion(scratch: Path) -> None:
    """The bare ion in both models, in vacuum and in water: what binding energies are counted from."""
    for method, suffix in (("GFN1-xTB", ".gfn1.xyz"), ("GFN2-xTB", ".xyz")):
        frames = [
            replace(molecules.quench(replace(lead_ion(), medium=m), method, steps=0), max_force=0.0)
            for m in (VACUUM, "water")
        ]
        molecules.write_frames(HERE / f"lead_ion{suffix}", frames, program=molecules.program())


def run_solvation(scratch: Path) -> None:
    """GFN2-xTB energies of the kept vacuum geometries in implicit solvent (ALPB), unrelaxed: one JSON of rows."""
    rows = []
    for system in [s for x in LIGANDS if x.medium == VACUUM for s in (x.complex, *x.free)]:
        for k, frame in enumerate(molecules.read_frames(geometry_file(system))):
            for medium in (VACUUM, "water", "dmso"):
                energy = molecules.quench(replace(frame, medium=medium), steps=0).energy_eV
                rows.append(
                    {
                        "system": system,
                        "conformer": k,
                        "medium": medium,
                        "charge": frame.charge,
                        "energy_eV": round(energy, 8),
                    }
                )
    head = {
        "program": molecules.program(),
        "method": "GFN2-xTB",
        "solvation": "ALPB",
        "geometry": "relaxed in vacuum",
    }
    write_atomically(HERE / "solvation.json", json.dumps({**head, "rows": rows}, indent=0) + "\n")


def run_free(name: str, medium: str, scratch: Path) -> None:
    """Search of a free anion in implicit solvent, from the neutral ligand's conformers too."""
    neutral = (
        [] if "zwitterion" in name else molecules.read_frames(geometry_file(name.split("_")[0]))
    )
    extra = [deprotonated(f, name).positions for f in neutral]
    frames, tried = molecules.search(name, scratch, SEARCH_ANION, medium, extra)
    molecules.write_frames(
        HERE / f"{name}.xyz",
        frames,
        smiles=SMILES[name],
        program=molecules.program() + "; RDKit; xtb 6.5.1",
        **tried,
    )


# ---- PBE-D3 -------------------------------------------------------------------------------------------------------------------


def pbe(
    frame: Frame,
    basis: str,
    medium: str = VACUUM,
    *,
    ghosts: Sequence[int] = (),
    dispersion: bool = True,
    forces: bool = False,
) -> dict:
    """PBE-D3(BJ) with density fitting at a fixed geometry; `ghosts` are atoms that lend their basis functions only.

    Returns a record as `write_record` keeps it, with `forces_eV_per_angstrom` on request.
    """
    import pyscf
    from pyscf import dft, gto

    start = time.monotonic()
    atoms = [
        (f"ghost-{s}" if k in ghosts else s, tuple(p))
        for k, (s, p) in enumerate(zip(frame.symbols, frame.positions, strict=True))
    ]
    ecp = (
        {"Pb": basis}
        if any(s == "Pb" and k not in ghosts for k, s in enumerate(frame.symbols))
        else {}
    )
    molecule = gto.M(
        atom=atoms, basis=basis, ecp=ecp, charge=frame.charge, verbose=0, max_memory=6000
    )
    fitting = dft.RKS(molecule, xc="pbe").density_fit().with_df
    fitting.build()  # else the three-centre integrals are made anew in every iteration
    density = None
    for grid in (0, GRID):
        # Most of the iterations are spent on a coarse grid, in vacuum.
        mf = dft.RKS(molecule, xc="pbe").density_fit()
        mf.with_df = fitting
        mf.init_guess, mf.grids.level, mf.max_cycle, mf.conv_tol, mf.conv_check = (
            "atom",
            grid,
            150,
            1e-4 if grid == 0 else 1e-6,
            False,
        )
        if grid and medium != VACUUM:
            mf = stored_pcm(mf, PERMITTIVITY[medium], method="IEF-PCM", surface_order=SURFACE_ORDER)
        if grid and dispersion:
            mf.disp = "d3bj"
        energy = float(mf.kernel(dm0=density))
        density = mf.make_rdm1()
    record = {
        "program": "PySCF",
        "version": pyscf.__version__,
        "method": "DFT",
        "functional": "PBE",
        "dispersion": "D3(BJ)" if dispersion else "none",
        "basis": basis,
        "ecp": "def2 (60 electrons of Pb)" if ecp else "none",
        "density_fitting": True,
        "auxiliary_basis": str(mf.with_df.auxbasis),
        "grid_level": GRID,
        "medium": medium
        if medium == VACUUM
        else f"{medium} (IEF-PCM, relative permittivity {PERMITTIVITY[medium]})",
        "charge": frame.charge,
        "spin": 0,
        "energy_eV": energy * HARTREE_EV,
        "converged": bool(mf.converged),
        "highest_occupied_eV": float(mf.mo_energy[mf.mo_occ > 0].max()) * HARTREE_EV,
        "minutes": round((time.monotonic() - start) / 60, 2),
        "symbols": list(frame.symbols),
        "ghost_atoms": list(ghosts),
        "positions_angstrom": np.round(frame.positions, 8).tolist(),
    }
    if forces:
        from pyscf.data.nist import BOHR

        record["forces_eV_per_angstrom"] = (
            -mf.nuc_grad_method().kernel() * HARTREE_EV / BOHR
        ).tolist()
    return record


def write_record(path: Path, record: dict) -> None:
    """One JSON file a calculation; one key a line, positions one atom a line."""
    lines = [
        f"{json.dumps(k)}: {json.dumps(v)}" for k, v in record.items() if k != "positions_angstrom"
    ]
    rows = ",\n  ".join(json.dumps(row) for row in record["positions_angstrom"])
    write_atomically(
        path, "{\n " + ",\n ".join(lines) + f',\n "positions_angstrom": [\n  {rows}\n ]\n}}\n'
    )


@dataclass(frozen=True)
class Point:
    """One energy at a kept geometry: conformer `frame` of `system`; `part` is "", or "ligand"/"lead" with or without "+ghost"."""

    system: str
    frame: int
    basis: str
    medium: str = VACUUM
    part: str = ""

    @property
    def name(self) -> str:
        return f"{self.system}-{self.frame}{'.' + self.part if self.part else ''}.{self.basis}.{self.medium}"

    @property
    def path(self) -> Path:
        return HERE / "pbe" / f"{self.name}.json"


def lead_ion() -> Frame:
    return Frame(("Pb",), np.zeros((1, 3)), LEAD_CHARGE)


def run_point(point: Point, scratch: Path) -> None:
    """Compute and keep one energy.

    Raises
    ------
    RuntimeError
        Its self-consistency did not converge; nothing is kept then.
    """
    frame = (
        lead_ion()
        if point.system == "lead_ion"
        else molecules.read_frames(geometry_file(point.system))[point.frame]
    )
    ghosts: list[int] = []
    if point.part:
        lead = frame.symbols.index("Pb")
        whole = range(len(frame.symbols))
        mine = [lead] if point.part.startswith("lead") else [k for k in whole if k != lead]
        charge = LEAD_CHARGE if point.part.startswith("lead") else frame.charge - LEAD_CHARGE
        if point.part.endswith("+ghost"):
            ghosts = [k for k in whole if k not in mine]
            frame = replace(frame, charge=charge)
        else:
            frame = replace(
                frame,
                symbols=tuple(frame.symbols[k] for k in mine),
                positions=frame.positions[mine],
                charge=charge,
            )
    # Dispersion knows no basis, so the counterpoise parts go without.
    record = pbe(frame, point.basis, point.medium, ghosts=ghosts, dispersion=not point.part)
    if not record["converged"]:
        raise RuntimeError(
            f"{point.name}: expected a converged density, found none after 150 cycles"
        )
    whence = (
        {"geometry": f"{geometry_file(point.system).name}, frame {point.frame}"}
        if point.system != "lead_ion"
        else {}
    )
    write_record(
        point.path,
        {
            "system": point.system,
            "conformer": point.frame,
            "part": point.part or "whole",
            **whence,
            **record,
        },
    )


def kept_energy(point: Point) -> float:
    """Of a kept record, eV; infinite when there is none."""
    if not point.path.exists():
        return float("inf")
    return read_numbers(point.path, ("energy_eV",))["energy_eV"]


def lowest(system: str, count: int, basis: str = SVP, medium: str = VACUUM) -> list[int]:
    """Frames of the lowest kept energies, lowest first."""
    energies = {k: kept_energy(Point(system, k, basis, medium)) for k in _ranked_frames(system)}
    return [k for k in sorted(energies, key=energies.__getitem__) if np.isfinite(energies[k])][
        :count
    ]


def unlike(frames: Sequence[Frame], count: int, shape_angstrom: float = 0.5) -> list[int]:
    """Up to `count` frames: the lowest, then always the lowest that differs from all taken by more than `shape_angstrom` in `molecules.shape`."""
    taken: list[int] = []
    for k, f in enumerate(frames):
        if len(taken) < count and all(
            np.abs(molecules.shape(f) - molecules.shape(frames[j])).max() > shape_angstrom
            for j in taken
        ):
            taken.append(k)
    return taken


def _ranked_frames(system: str) -> list[int]:
    path = geometry_file(system)
    return unlike(molecules.read_frames(path), RANKED) if path.exists() else []


def points() -> list[Point]:
    """All single points that the kept geometries and rankings ask for, in the order of what they decide."""
    found = fragment_points()
    for charged in (False, True):
        ligands = [x for x in LIGANDS if (x.medium != VACUUM) == charged]
        # Anions have no bound electrons in vacuum to speak of: they are ranked in water.
        medium = "water" if charged else VACUUM
        systems = [s for x in ligands for s in (x.complex, *x.free)]
        found += [Point(s, k, SVP, medium) for s in systems for k in _ranked_frames(s)]
        found += (
            [Point("lead_ion", 0, b, m) for b in (SVP, TZVP) for m in (VACUUM, *PERMITTIVITY)]
            if not charged
            else []
        )
        found += [Point(s, k, TZVP, medium) for s in systems for k in lowest(s, BEST, SVP, medium)]
        if not charged:
            found += [
                Point(s, k, SVP, m) for m in PERMITTIVITY for s in systems for k in lowest(s, BEST)
            ]
            found += [
                Point(x.complex, k, SVP, VACUUM, p)
                for x in ligands
                for k in lowest(x.complex, 1)
                for p in PARTS
            ]
            found += [Point(s, k, TZVP, "water") for s in systems for k in lowest(s, 1)]
    return found


def fragment_points() -> list[Point]:
    """Every fragment alone and on the ion in both bases, with the counterpoise, and in water."""
    there = [
        n
        for n in FRAGMENTS
        if geometry_file(n).exists() and geometry_file(f"{n}_on_lead_ion").exists()
    ]
    found = []
    for basis in (SVP, TZVP):
        for n in there:
            found += [
                Point(s, 0, basis, m) for s in (n, f"{n}_on_lead_ion") for m in (VACUUM, "water")
            ]
            found += [Point(f"{n}_on_lead_ion", 0, basis, VACUUM, p) for p in PARTS]
    return found


def jobs() -> list[Job]:
    """Searches of the complexes and free anions, then the single points (see the module on when these are known)."""
    tools = {"packages": ("ase", "tblite", "rdkit"), "programs": ("xtb",)}
    found = [
        Job(
            "lead/lead_ion.gfn2",
            run_ion,
            (HERE / "lead_ion.gfn1.xyz", HERE / "lead_ion.xyz"),
            packages=("ase", "tblite"),
            minutes=0.1,
        )
    ]
    for x in LIGANDS:
        kept = (HERE / f"{x.complex}.gfn1.xyz", HERE / f"{x.complex}.xyz")
        found.append(
            Job(f"lead/{x.complex}.gfn2", partial(run_search, x), kept, minutes=12, **tools)
        )
        found += [
            Job(
                f"lead/{n}.gfn2",
                partial(run_free, n, x.medium),
                (HERE / f"{n}.xyz",),
                minutes=5,
                **tools,
            )
            for n in x.free
            if x.medium != VACUUM
        ]
    for n in FRAGMENTS:
        file = HERE / f"{n}_on_lead_ion.xyz"
        found.append(
            Job(
                f"lead/{n}_on_lead_ion.gfn2",
                partial(run_fragment, n),
                (file,),
                packages=("ase", "tblite"),
                after=(f"molecules/{n}",),
                minutes=0.2,
            )
        )
    found.append(
        Job(
            "lead/solvation",
            run_solvation,
            (HERE / "solvation.json",),
            packages=("ase", "tblite"),
            minutes=0.5,
        )
    )
    for p in dict.fromkeys(points()):
        heavy = (
            0.1 if p.system.startswith((*FRAGMENTS, "lead_ion")) else 1.5 if p.basis == SVP else 6.0
        )
        found.append(
            Job(
                f"lead/pbe/{p.name}",
                partial(run_point, p),
                (p.path,),
                packages=("pyscf", "pyscf.dispersion"),
                minutes=heavy,
            )
        )
    return found
