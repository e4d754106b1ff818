"""What is relaxed on the slab in tight binding: the slab itself, fragments, ligands and pairs from docked and searched poses, Frenkel pairs.

Lead and iodide stay where the crystal has them. Freed, the bare slab of two sheets keeps its symmetry and relaxes a little (`slab_free`), but the first molecule that breaks
it, methylamine, sends it several electronvolts lower (`methylamine_on_slab_free`): in GFN2-xTB this slab is no minimum, and adsorption energies on it
would be those of its collapse. In the bare slab the cations are free; adducts start from it and only the ligands move. For Frenkel pairs the displaced iodide and what is
within `AROUND` of its old and new place are free, in the slab without the defect too.
"""

from __future__ import annotations

import numpy as np

from hassan2021.recompute import poses, surface
from hassan2021.recompute import tightbinding as tb
from hassan2021.recompute.adsorbates import (
    FRAGMENTS,
    LIGANDS,
    adduct,
    bare,
    below,
    conformers,
    docked,
    framework,
    kept,
    lowest,
)
from hassan2021.recompute.jobs import Job
from hassan2021.recompute.tightbinding import PACKAGES, Relaxation, load, relax, tagged


def on_lead_iodide(name: str):
    """A fragment on one PbI2 molecule: the smallest case, donor 2.6 angstrom from lead, opposite the iodides."""
    from ase import Atoms

    symbols, free, _ = conformers(name)[0]
    depth, _, _ = surface.contact_table(symbols, free, ["Pb"])
    donor = int(np.argmax(depth[:, 0]))
    rest = np.delete(free, donor, axis=0).mean(axis=0) - free[donor]
    # Any frame with z along the molecule will do; the relaxation starts a little off symmetry.
    z = rest / np.linalg.norm(rest)
    x = np.cross(z, [0.3, 0.5, 0.8])
    frame = np.array([x / np.linalg.norm(x), np.cross(z, x / np.linalg.norm(x)), z])
    at = (free - free[donor]) @ frame.T + [0.15, 0.1, 2.6]
    return Atoms(
        ["Pb", "I", "I", *symbols],
        positions=np.vstack([[0, 0, 0], [2.2, 0.2, -1.8], [-2.2, 0, -1.8], at]),
    )


def acid_dimer():
    """Two acetic acids, the second the first one inverted through a point beyond its oxygens: a cyclic dimer, the measure of two hydrogen bonds."""
    from ase import Atoms

    symbols, free, _ = conformers("acetic_acid")[0]
    ends = [k for k, s in enumerate(symbols) if s == "O"]
    axis = free[ends].mean(axis=0) - free[symbols.index("C")]
    centre = free[ends].mean(axis=0) + 1.5 * axis / np.linalg.norm(axis)
    return Atoms(symbols * 2, positions=np.vstack([free, 2 * centre - free]))


SMALLEST = ("methylamine", "acetic_acid")
POSES = {**dict.fromkeys(FRAGMENTS, 2), **dict.fromkeys(LIGANDS, 2)}
#: Starts from the search of `poses`: how many a ligand or pair; their numbers begin at `SEARCHED`.
FROM_SEARCH = {
    "glutathione": 2,
    "edta": 2,
    "glutathione+edta": 1,
    "glutathione+glutathione": 1,
    "edta+edta": 1,
}
SEARCHED = 10
PAIRS = (("glutathione", "edta"), ("glutathione", "glutathione"), ("edta", "edta"))
BESIDE = 20  # number of the start with each ligand where it lies alone


AROUND = 4.0  # angstrom
DEFECT_STEPS, DEFECT_MOST = (
    40,
    150,
)  # at first and at most, for the defect and the surface without it
DEFECTIVE = ("slab", "glutathione_on_slab", "edta_on_slab", "glutathione+edta_on_slab")


SCREENED = 12  # steps on the slab of each pose of a flexible ligand, after those on its stand-in; the lowest are then relaxed on
MOST = 220


def _refinable(stem: str, count: int) -> list[str]:
    return [name for _, done, steps, name in kept(stem)[:count] if not done and steps < MOST]


def refine(stem: str, count: int) -> None:
    """Relax the lowest `count` kept starts of `stem` until they converge; one that rises above another on the way is not taken further."""
    while names := _refinable(stem, count):
        relax(
            Relaxation(
                names[0],
                "gfn2",
                lambda n=names[0]: tagged(load(tb.OUT / f"{n}.gfn2.xyz")),
                below,
                MOST,
                f"docked pose {names[0].rsplit(chr(45), 1)[1]}, relaxed on",
            )
        )


def _lead_iodide():
    from ase import Atoms

    return Atoms("PbI2", positions=[[0, 0, 0], [2.2, 0.1, -1.8], [-2.2, 0, -1.8]])


def _posed(name: str, k: int, under: str = "", between: bool = False):
    def build():
        if not under:
            pose = docked(name)[k]
            return adduct(bare(), conformers(name)[pose.conformer][0], pose.positions)
        first = lowest(under)
        pose = docked(name, first, between)[k]
        return adduct(
            tagged(load(tb.OUT / f"{first}.gfn2.xyz")),
            conformers(name)[pose.conformer][0],
            pose.positions,
        )

    return build


def _searched(name: str, rank: int):
    def build():
        frame = poses.best(name, rank)
        return adduct(bare(), frame.symbols, frame.positions)

    return build


def _side_by_side(one: str, other: str):
    """Each ligand where it lies alone, the second moved by lattice vectors of the crystal to where it is farthest from the first: what a pair has for nothing."""

    def build():
        first, second = (
            tagged(load(tb.OUT / f"{lowest(f'{n}_on_slab')}.gfn2.xyz")) for n in (one, other)
        )
        here, there = (a[a.get_tags() >= 10] for a in (first, second))
        period = first.cell.lengths()[:2]

        def apart(shift) -> float:
            d = here.positions[:, None] - there.positions[None] - [*shift, 0.0]
            d[..., :2] -= period * np.round(d[..., :2] / period)
            return float(np.linalg.norm(d, axis=2).min())

        shifts = [(i * surface.CELL_A, j * surface.CELL_A) for i in (0, 1) for j in (0, 1)]
        best = max(shifts, key=apart)
        if apart(best) < 1.8:
            raise ValueError(f"{one} and {other}: no two places that do not touch")
        return adduct(first, there.get_chemical_symbols(), there.positions + [*best, 0.0])

    return build


def _on_free_slab(stem: str):
    """The lowest kept `stem`, its ligand on the freed slab instead."""

    def build():
        on, free = (
            tagged(load(tb.OUT / f"{lowest(f'{stem}_on_slab')}.gfn2.xyz")),
            load(tb.OUT / "slab_free-0.gfn2.xyz"),
        )
        free.set_tags(surface.slab().get_tags())
        ligand = on[on.get_tags() >= 10]
        return adduct(free, ligand.get_chemical_symbols(), ligand.positions)

    return build


def _on_three_sheets(name: str):
    """The lowest kept fragment on the slab, on a slab of three sheets instead."""

    def build():
        on, thick = (
            tagged(load(tb.OUT / f"{lowest(f'{name}_on_slab')}.gfn2.xyz")),
            load(tb.OUT / "slab_three-0.gfn2.xyz"),
        )
        ligand = on[on.get_tags() >= 10]
        ligand.positions[:, 2] += (
            thick.positions[thick.numbers == 82, 2].max() - on.positions[on.numbers == 82, 2].max()
        )
        thick.set_tags(surface.slab(lead_sheets=3).get_tags())
        return adduct(thick, ligand.get_chemical_symbols(), ligand.positions)

    return build


def _defect(stem: str, k: int):
    """The lowest kept `stem` (or the bare slab), one of its surface iodides displaced, and which atoms take part: (perfect, defect, free indices).

    Iodides nearest to a ligand come first, since it is the ligand's effect that is asked for.
    """
    perfect = bare() if stem == "slab" else tagged(load(tb.OUT / f"{lowest(stem)}.gfn2.xyz"))
    top = [i for i, a in enumerate(perfect) if a.symbol == "I" and a.tag == 0]
    ligand = np.flatnonzero(perfect.get_tags() >= 10)
    if len(ligand):
        top = [
            top[i]
            for i in np.argsort([perfect.get_distances(i, ligand, mic=True).min() for i in top])
        ]
    places = []
    for site in top:
        try:
            places.append((site, surface.frenkel_pair(perfect, site, hollow=0)))
        except ValueError:  # a ligand is in the way
            continue
    if k >= len(places):
        raise ValueError(f"{stem}: {len(places)} places for a displaced iodide, {k + 1} asked for")
    site, defect = places[k]
    around = np.minimum(
        *(a.get_distances(site, range(len(a)), mic=True) for a in (perfect, defect))
    )
    free = (around < AROUND) | (perfect.get_tags() >= 10)
    for number in np.unique(
        free * _molecule_numbers(perfect)
    ):  # a cation moves whole or not at all
        if number:
            free |= _molecule_numbers(perfect) == number
    defect.info = {
        "interstitial": site,
        "vacancy": " ".join(f"{x:.4f}" for x in perfect.positions[site]),
    }
    return perfect, defect, np.flatnonzero(free)


def _molecule_numbers(atoms) -> np.ndarray:
    """A number from 1 for each cation of the slab, 0 for everything else."""
    numbers = np.zeros(len(atoms), int)
    carbons = [i for i, a in enumerate(atoms) if a.symbol == "C" and a.tag in (1, 2)]
    for number, carbon in enumerate(carbons, start=1):
        numbers[carbon : carbon + 8] = number  # C, N and six H stand together
    return numbers


def _frenkel(stem: str, k: int, displaced: bool) -> Relaxation:
    """The k-th Frenkel pair of `stem`, or the perfect surface with the same atoms free."""
    chosen: dict = {}

    def build():
        perfect, defect, chosen["free"] = _defect(stem, k)
        return defect if displaced else perfect

    def frozen(atoms):
        return np.setdiff1d(np.arange(len(atoms)), chosen["free"])

    kind = "frenkel" if displaced else "perfect"
    return Relaxation(
        f"{kind}_{stem}-{k}",
        "gfn2",
        build,
        frozen,
        DEFECT_STEPS,
        "iodide displaced by hand" if displaced else "same atoms free as with the defect",
    )


def _unsettled(stem: str) -> list[str]:
    """Kept Frenkel pairs of `stem` and surfaces without them that are not relaxed yet."""
    both = [
        (steps, name)
        for kind in ("frenkel", "perfect")
        for _, done, steps, name in kept(f"{kind}_{stem}")
        if not done
    ]
    return [name for steps, name in both if steps < DEFECT_MOST]


def refine_defects(stem: str) -> None:
    """Relax the kept Frenkel pairs of `stem`, and the surfaces without them, until they converge."""
    for name in _unsettled(stem):
        begun = tagged(load(tb.OUT / f"{name}.gfn2.xyz"))
        other = load(tb.OUT / f"{name.replace(*_OTHER[name.split('_')[0]])}.gfn2.xyz")
        # What has not moved apart was frozen in both; `lowest` may since have become another pose, so this is not built again.
        same = np.flatnonzero(np.abs(begun.positions - other.positions).max(axis=1) < 1e-5)
        if len(same) != int(begun.info["frozen"]):
            raise RuntimeError(
                f"{name}: expected {begun.info['frozen']} frozen atoms, found {len(same)} alike with and without the defect"
            )
        relax(
            Relaxation(
                name,
                "gfn2",
                lambda a=begun: a,
                lambda atoms, s=same: s,
                DEFECT_MOST,
                f"{begun.info['start']}, relaxed on",
            )
        )


_OTHER = {"frenkel": ("frenkel", "perfect"), "perfect": ("perfect", "frenkel")}


def _retried(stem: str, method: str):
    """The lowest GFN2 geometry of `stem`, to be relaxed in another method."""

    def build():
        return tagged(load(tb.OUT / f"{lowest(stem)}.gfn2.xyz"))

    return build


def relaxations() -> list[Relaxation]:
    """Every relaxation, decisive ones first."""
    built = "I4/mcm positions"
    found = [Relaxation("slab-0", "gfn2", surface.slab, framework, 80, built, 0.03)]
    found.append(
        Relaxation("slab_free-0", "gfn2", surface.slab, None, 45, built + ", all atoms free")
    )
    tight = {"steps": 400, "force_limit": 0.0005, "accuracy": 0.1}
    found.append(Relaxation("pbi2-0", "gfn2", _lead_iodide, note="bent molecule", **tight))
    found.append(
        Relaxation(
            "acetic_acid_dimer-0",
            "gfn2",
            acid_dimer,
            note="second molecule inverted through a point",
            **tight,
        )
    )
    found += [
        Relaxation(
            f"{n}_on_pbi2-0", "gfn2", lambda n=n: on_lead_iodide(n), note="donor over lead", **tight
        )
        for n in SMALLEST
    ]
    for name in FRAGMENTS:
        found += [
            Relaxation(
                f"{name}_on_slab-{k}", "gfn2", _posed(name, k), below, 150, f"docked pose {k}"
            )
            for k in range(POSES[name])
        ]
    for name in LIGANDS:
        found += [
            Relaxation(
                f"{name}_on_slab-{k}",
                "gfn2",
                _posed(name, k),
                below,
                SCREENED,
                f"docked pose {k}",
                pose_steps=70,
            )
            for k in range(POSES[name])
        ]
    for one, other in PAIRS:
        starts = (
            [(one, other, 0), (one, other, 0)]
            if one == other
            else [(one, other, 0), (other, one, 0), (other, one, 0), (one, other, 1)]
        )
        for number, (upper, lower, k) in enumerate(starts):
            # The first of like pairs and the second of the unlike were docked without, the others with hydrogen bonds between ligands.
            between = number != (0 if one == other else 1)
            note = f"{upper} docked beside the lowest {lower}" + (
                " for hydrogen bonds" if between else ""
            )
            build = _posed(upper, k, f"{lower}_on_slab", between)
            found.append(
                Relaxation(
                    f"{one}+{other}_on_slab-{number}",
                    "gfn2",
                    build,
                    below,
                    SCREENED,
                    note,
                    pose_steps=70,
                )
            )
    for name, count in FROM_SEARCH.items():
        note = "pose {} of the search on the stand-in"
        found += [
            Relaxation(
                f"{name}_on_slab-{SEARCHED + k}",
                "gfn2",
                _searched(name, k),
                below,
                SCREENED,
                note.format(k),
            )
            for k in range(count)
        ]
    for one, other in PAIRS:
        found.append(
            Relaxation(
                f"{one}+{other}_on_slab-{BESIDE}",
                "gfn2",
                _side_by_side(one, other),
                below,
                40,
                "each where it lies alone",
            )
        )
    found.append(
        Relaxation(
            "slab_three-0",
            "gfn2",
            lambda: surface.slab(lead_sheets=3),
            framework,
            80,
            built + ", three sheets",
            0.03,
        )
    )
    found += [
        Relaxation(
            f"{n}_on_slab_three-0", "gfn2", _on_three_sheets(n), below, 60, "pose of two sheets"
        )
        for n in SMALLEST
    ]
    # One is enough to show that the slab does not stay.
    found.append(
        Relaxation(
            "methylamine_on_slab_free-0",
            "gfn2",
            _on_free_slab("methylamine"),
            None,
            80,
            "lowest pose of the still slab, all atoms free",
        )
    )
    for stem in DEFECTIVE:
        found += [_frenkel(stem, k, displaced) for k in range(2) for displaced in (True, False)]
    for stem in ("slab", *(f"{n}_on_slab" for n in (*FRAGMENTS, *LIGANDS, "glutathione+edta"))):
        # The slab stays as GFN2-xTB left it, with its adducts: so the ligand alone answers to the other method.
        steps = 0 if stem == "slab" else 60
        found.append(
            Relaxation(
                f"{stem}-0",
                "gfn1",
                _retried(stem, "gfn1"),
                below,
                steps,
                "from the lowest GFN2-xTB geometry",
            )
        )
    return found


def jobs() -> list[Job]:
    """All relaxations of this module as jobs."""

    def job(r: Relaxation) -> Job:
        stem = r.name.rsplit("-", 1)[0]
        return Job(
            f"tight_binding/{r.name}.{r.method}",
            lambda scratch: relax(r),
            (r.path,),
            PACKAGES,
            after=() if stem == "slab" else ("tight_binding/slab-0.gfn2",),
            minutes=8,
        )

    found = [job(r) for r in relaxations()]
    stems = [f"{n}_on_slab" for n in LIGANDS] + [
        "glutathione+edta_on_slab",
        "glutathione+glutathione_on_slab",
        "edta+edta_on_slab",
    ]
    for stem in stems:
        count = 2 if "+" not in stem else 1
        place = (
            next(
                k
                for k in range(len(found) - 1, -1, -1)
                if found[k].name.startswith(f"tight_binding/{stem}-")
                and found[k].name.endswith("gfn2")
            )
            + 1
        )
        found.insert(
            place,
            Job(
                f"tight_binding/{stem}.refine",
                lambda scratch, s=stem, c=count: refine(s, c),
                (),
                PACKAGES,
                after=(found[place - 1].name,),
                minutes=15,
                finished=lambda s=stem, c=count: bool(kept(s)) and not _refinable(s, c),
            ),
        )
    for stem in DEFECTIVE:
        after = tuple(f"tight_binding/{kind}_{stem}-0.gfn2" for kind in ("frenkel", "perfect"))

        def finished(s=stem):
            return bool(kept(f"frenkel_{s}")) and not _unsettled(s)

        found.append(
            Job(
                f"tight_binding/frenkel_{stem}.refine",
                lambda scratch, s=stem: refine_defects(s),
                (),
                PACKAGES,
                after=after,
                minutes=15,
                finished=finished,
            )
        )
    return found
