"""How much light a planar LED lets out at best: dipole emission in its full stack, by channel.

The stack is described once (`Layer`) and handed to `peled.optics.dipole_emission`, with the
substrate as a thick, incoherent slab whose far face is air: light that comes back from there meets
the reflectance of the whole cavity. The ceiling on the EQE without photon recycling is the emission
efficiency of the dipole in the cavity times the outcoupling,

    EQE_max = q F / (1 − q + q F) · η_out,

with q the internal yield in the unbounded emitter and F the Purcell factor. Recycling can only add
to that; what would be needed to reach a given EQE by recycling is `recycling_needed`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_yaml
from peled.formats.contract import reader
from peled.formats.delimited import read_records
from peled.optics.dipole import DipoleEmission, dipole_emission
from peled.optics.indices import IndexTable, index_table, read_index


@dataclass(frozen=True)
class Layer:
    """One layer: name, complex refractive index at the emission wavelength, thickness (None for the
    substrate), role, sources, and the table that the index is of, where it is of one.
    """

    name: str
    n: float
    k: float
    thickness_nm: float | None
    role: str
    thickness_source: str = ""
    index_source: str = ""
    table: IndexTable | None = field(default=None, repr=False)

    @property
    def index(self) -> complex:
        return complex(self.n, self.k)

    def at(self, wavelength_nm: float) -> Layer:
        """The layer at another wavelength; a substrate absorbs nothing that matters.

        Parameters
        ----------
        wavelength_nm : float

        Returns
        -------
        Layer
        """
        if self.table is None:
            return self
        value = complex(self.table(wavelength_nm))
        return replace(self, n=value.real, k=0.0 if self.role == "substrate" else value.imag)


@dataclass(frozen=True)
class Stack:
    """Layers from the substrate up; air lies beyond both ends. `fwhm_nm` of the emission, 0 for a
    line.
    """

    layers: tuple[Layer, ...]
    wavelength_nm: float
    levels: tuple[Mapping, ...] = field(default=(), repr=False)
    fwhm_nm: float = 0.0

    def at(self, wavelength_nm: float) -> Stack:
        """The stack at another wavelength of its emission.

        Parameters
        ----------
        wavelength_nm : float

        Returns
        -------
        Stack
        """
        layers = tuple(layer.at(wavelength_nm) for layer in self.layers)
        return replace(self, layers=layers, wavelength_nm=wavelength_nm)

    def __getitem__(self, name: str) -> Layer:
        return self.layers[self.index(name)]

    def index(self, name: str) -> int:
        """Position of the layer of that name or, for `emitter` and the like, role.

        Parameters
        ----------
        name : str

        Returns
        -------
        int

        Raises
        ------
        KeyError
            If there is none; names those there are.
        """
        for i, layer in enumerate(self.layers):
            if name in (layer.name, layer.role):
                return i
        raise KeyError(
            f"stack: expected a layer {name!r}, "
            f"found {', '.join(layer.name for layer in self.layers)}"
        )

    def change(self, name: str, **values) -> Stack:
        """The stack with one layer changed (`thickness_nm`, `n`, `k`); a thickness may be an array,
        for a scan.

        Parameters
        ----------
        name : str
        **values : float or ndarray
            `thickness_nm` (nm), `n`, `k`.

        Returns
        -------
        Stack
        """
        i = self.index(name)
        layers = list(self.layers)
        layers[i] = replace(layers[i], **values)
        return replace(self, layers=tuple(layers))

    def scale_role(self, role: str, total_nm) -> Stack:
        """All layers of a role scaled to a total thickness.

        Parameters
        ----------
        role : str
            Such as `hole`.
        total_nm : float or ndarray
            An array for a scan.

        Returns
        -------
        Stack

        Raises
        ------
        KeyError
            If no layer has the role.
        """
        members = [layer for layer in self.layers if layer.role == role]
        if not members:
            raise KeyError(
                f"stack: expected layers with the role {role!r}, "
                f"found {', '.join(sorted({layer.role for layer in self.layers}))}"
            )
        now = sum(layer.thickness_nm for layer in members)
        share = {layer.name: layer.thickness_nm / now for layer in members}
        return replace(
            self,
            layers=tuple(
                replace(layer, thickness_nm=share[layer.name] * np.asarray(total_nm, float))
                if layer.role == role
                else layer
                for layer in self.layers
            ),
        )

    def only(self, names: Sequence[str]) -> Stack:
        """The stack reduced to the named layers.

        Parameters
        ----------
        names : sequence of str

        Returns
        -------
        Stack
        """
        return replace(self, layers=tuple(self[name] for name in names))


@reader("a stack of layers")
def read_stack(path: str | Path) -> Stack:
    """A stack of layers from YAML or a table.

    YAML: `wavelength_nm` of the emission, `fwhm_nm` where it is no line, `stack` (a list from the
    substrate up; each layer with n and k or an `index_table`) and, for drawing, `levels`. A table
    (CSV) has a row a layer and the same words as heads: name, role, thickness_nm, and n and k or
    index_table; wavelength_nm and fwhm_nm stand in the row of the emitter.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Stack

    Raises
    ------
    FormatError
        Naming the layer: a missing key, a thickness or index that is not a positive number, no or
        several emitters.
    """
    path = Path(path)
    yaml = path.suffix.lower() in (".yaml", ".yml")
    found = read_yaml(path, what="a stack of layers in YAML") if yaml else _of_table(path)
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("stack"), list)
        or len(found["stack"]) < 3
    ):
        raise FormatError(
            path,
            expected="a key 'stack' with at least three layers",
            found=", ".join(found) if isinstance(found, dict) else type(found).__name__,
        )
    wavelength, width = found.get("wavelength_nm"), found.get("fwhm_nm", 0.0)
    for name, value, low, high in (
        ("wavelength_nm", wavelength, 100, 5000), ("fwhm_nm", width, -1, 1000)
    ):  # fmt: skip
        if not isinstance(value, (int, float)) or not low < value < high:
            expected = f"{name}, of the emission, as a number"
            raise FormatError(path, expected=expected, found=repr(value))
    layers = tuple(
        _layer(path, number, entry, float(wavelength))
        for number, entry in enumerate(found["stack"], 1)
    )
    if (emitters := sum(layer.role == "emitter" for layer in layers)) != 1:
        raise FormatError(
            path, place="stack", expected="one layer with the role emitter", found=str(emitters)
        )
    return Stack(layers, float(wavelength), tuple(found.get("levels", ())), float(width))


#: Heads of a table that hold numbers.
_NUMBERS = ("thickness_nm", "n", "k", "wavelength_nm", "fwhm_nm")


def _of_table(path: Path) -> dict:
    """A table of layers in the words of the YAML form."""
    records, _ = read_records(path, ("name", "role", "thickness_nm"))
    entries = []
    for record in records:
        entry = {name: cell for name, cell in record.cells.items() if cell}
        entry |= {name: record.number(name) for name in _NUMBERS if name in entry}
        entries.append(entry)
    said = {k: e[k] for e in entries for k in ("wavelength_nm", "fwhm_nm") if k in e}
    return {"stack": entries, **said}


def _layer(path: Path, number: int, entry: Mapping, wavelength_nm: float) -> Layer:
    """One entry of the stack; the first is the substrate, which needs no thickness."""
    place = f"stack, layer {number} ({entry.get('name', 'no name')})"
    thickness = entry.get("thickness_nm")
    entry = _with_index(path, place, entry, wavelength_nm, number == 1)
    needed = ("name", "n", "role") + (() if number == 1 else ("thickness_nm",))
    if missing := [key for key in needed if key not in entry]:
        raise FormatError(
            path,
            place=place,
            expected=f"the keys {', '.join(needed)}",
            found=f"no {', '.join(missing)}",
        )
    for key, value, least in (
        ("n", entry["n"], 0.01),
        ("k", entry.get("k", 0.0), 0.0),
        ("thickness_nm", 1.0 if thickness is None else thickness, 0.0),
    ):
        if not isinstance(value, (int, float)) or not np.isfinite(value) or value < least:
            expected = f"{key} as a number from {least:g}"
            raise FormatError(path, place=place, expected=expected, found=repr(value))
    return Layer(
        str(entry["name"]),
        float(entry["n"]),
        float(entry.get("k", 0.0)),
        None if thickness is None else float(thickness),
        str(entry["role"]),
        str(entry.get("thickness_source", "")),
        str(entry.get("index_source", "")),
        entry.get("table"),
    )


def _with_index(
    path: Path, place: str, entry: Mapping, wavelength_nm: float, substrate: bool
) -> dict:
    """The entry with n and k from its table, beside the stack's file or among the package's."""
    if "index_table" not in entry:
        return dict(entry)
    name = str(entry["index_table"])
    beside = path.parent / f"{name}.yml"
    try:
        found = read_index(beside) if beside.is_file() else index_table(name)
        value = complex(found(wavelength_nm))
    except (ValueError, OSError) as error:
        raise FormatError(
            path, place=place, expected=f"a table of n and k named {name}", found=str(error)
        ) from None
    # A thick window absorbs nothing that matters here; an absorbing outer medium has no far field.
    return {
        **entry,
        "n": value.real,
        "k": 0.0 if substrate else value.imag,
        "index_source": " ".join(found.source.split()),
        "table": found,
    }


def emission(
    stack: Stack,
    *,
    orientation: str | float = "isotropic",
    depth: Sequence[float] | None = None,
    layers: bool = False,
    tolerance: float = 1e-5,
) -> DipoleEmission:
    """Where the light of a stack's emitter goes, by channel.

    `peled.optics.dipole_emission` of the stack's layers in air, at its wavelength.

    Parameters
    ----------
    stack : Stack
        Layers from the substrate upwards; one thickness may be an array (scan,).
    orientation : "isotropic", "horizontal", "vertical" or float
        Of the dipoles; a number is the share of vertical ones, 1/3 when isotropic.
    depth : sequence of float, optional
        Places of the dipoles in the emitter, 0 its bottom and 1 its top, with equal weights;
        by default spread evenly.
    layers : bool
        Also what each layer absorbs.
    tolerance : float
        Relative, of each integral over the in-plane wavevector.

    Returns
    -------
    DipoleEmission

    See Also
    --------
    ceiling : the range over what is not known of a stack.

    References
    ----------
    .. [1] M. Furno et al., Phys. Rev. B 85, 115205 (2012), doi:10.1103/PhysRevB.85.115205
    """
    indices = [layer.index for layer in stack.layers] + [1.0]
    thickness = list(
        np.broadcast_arrays(*(np.asarray(layer.thickness_nm, float) for layer in stack.layers[1:]))
    )
    if thickness[0].ndim == 0:
        thickness = [float(value) for value in thickness]
    return dipole_emission(
        indices,
        thickness,
        stack.index("emitter"),
        stack.wavelength_nm,
        outside=1.0,
        orientation=orientation,
        depth=depth,
        layers=layers,
        tolerance=tolerance,
    )


@dataclass(frozen=True)
class Ceiling:
    """Outcoupling over a set of assumptions.

    Attributes
    ----------
    central : float
        With the stack as described.
    low, high : float
        With one assumption varied at a time (the dipoles kept isotropic).
    lowest, highest : float
        Over all combinations of the varied assumptions, dipole orientation included.
    table : tuple of (description, outcoupling)
        One line an assumption varied alone.
    purcell : float
        Of the central case.
    """

    central: float
    low: float
    high: float
    lowest: float
    highest: float
    table: tuple[tuple[str, float], ...]
    purcell: float

    def eqe(self, internal_yield: float) -> tuple[float, float, float]:
        """Ceiling of the EQE without recycling, for an internal yield that the cavity speeds up
        only slightly.

        Parameters
        ----------
        internal_yield : float
            0 to 1.

        Returns
        -------
        central, low, high : float
        """
        q = internal_yield * self.purcell / (1 - internal_yield + internal_yield * self.purcell)
        return q * self.central, q * self.low, q * self.high


def ceiling(stack: Stack, varied: Mapping[str, Sequence[float]]) -> Ceiling:
    """Outcoupling of the stack, and its range over what is not known of it.

    Parameters
    ----------
    stack : Stack
    varied : mapping
        Values for `emitter_nm`, `hole_nm`, `ito_nm`, `organic_index` (all transparent hole and
        electron layers together), `vertical` (fraction of vertical dipoles) and, alone only,
        `ito_index`. The hole layers are scanned in one call each.

    Returns
    -------
    Ceiling

    See Also
    --------
    emission : one set of assumptions.

    References
    ----------
    .. [1] M. Furno et al., Phys. Rev. B 85, 115205 (2012), doi:10.1103/PhysRevB.85.115205
    .. [2] C. Cho et al., Nat. Commun. 11, 611 (2020), doi:10.1038/s41467-020-14401-1
    """

    def outcoupling(of: Stack, **dipoles) -> np.ndarray:
        return emission(of, tolerance=1e-4, **dipoles).outcoupling

    centre = emission(stack, tolerance=1e-4)
    central = float(centre.outcoupling)
    anode = stack["anode"].name
    table = [("as described", central)]

    def scanned(changed, values):  # thicknesses, in one call
        return outcoupling(changed(np.asarray(values, float)))

    def each(changed, values):
        return [outcoupling(changed(v)) for v in values]

    for label, name, over, changed in (
        ("emitter {:g} nm", "emitter_nm", scanned,
         lambda v: stack.change("emitter", thickness_nm=v)),
        ("hole layers {:g} nm together", "hole_nm", scanned, lambda v: stack.scale_role("hole", v)),
        (f"{anode} {{:g}} nm", "ito_nm", scanned, lambda v: stack.change("anode", thickness_nm=v)),
        (f"{anode} index {{:.2f}}", "ito_index", each, lambda v: stack.change("anode", n=v)),
        ("organic index {:.2f}", "organic_index", each, lambda v: _organic(stack, v)),
    ):  # fmt: skip
        found = over(changed, varied[name])
        table += [(label.format(v), float(o)) for v, o in zip(varied[name], found, strict=True)]
    alone = [value for _, value in table]
    for share in varied["vertical"]:
        value = float(outcoupling(stack, orientation=share))
        table.append((f"vertical dipole share {share:.2f}", value))
    hole = np.asarray(varied["hole_nm"], float)
    names = ("emitter_nm", "ito_nm", "organic_index", "vertical")
    everything = [
        outcoupling(
            _organic(
                stack.change("emitter", thickness_nm=emitter)
                .scale_role("hole", hole)
                .change("anode", thickness_nm=ito),
                index,
            ),
            orientation=share,
        )
        for emitter, ito, index, share in itertools.product(*(varied[name] for name in names))
    ]
    return Ceiling(
        central,
        min(alone),
        max(alone),
        float(np.min(everything)),
        float(np.max(everything)),
        tuple(table),
        float(centre.purcell),
    )


def _organic(stack: Stack, n: float) -> Stack:
    """The stack with the index of its transparent hole and electron layers changed together."""
    for layer in stack.layers:
        if layer.role in ("hole", "electron") and layer.k == 0 and layer.n > 1.55:
            stack = stack.change(layer.name, n=n)
    return stack


def half_stack_outcoupling(stack: Stack) -> float:
    """Outcoupling by a common shortcut: glass-air transmission once for the light in the glass.

    The light that the far face sends back is lost here; in the device it meets the reflectance of
    the whole cavity and part of it leaves on a later pass. The difference from `emission` is what
    the shortcut costs.

    Parameters
    ----------
    stack : Stack
        On a transparent substrate, its first layer.

    Returns
    -------
    float
        Fraction of the photons.

    See Also
    --------
    emission : with what comes back.

    References
    ----------
    .. [1] N. C. Greenham, R. H. Friend, D. D. C. Bradley, Adv. Mater. 6, 491 (1994),
           doi:10.1002/adma.19940060612
    """
    from peled.optics.dipole import far_field

    indices = [layer.index for layer in stack.layers] + [1.0]
    thickness = [layer.thickness_nm for layer in stack.layers[1:]]
    n_glass = stack.layers[0].n
    angle = np.linspace(1e-4, np.arcsin(1 / n_glass) - 1e-9, 400)
    s, p = far_field(
        indices, thickness, stack.index("emitter"), stack.wavelength_nm, angle, side="bottom"
    )
    c1, c2 = np.cos(angle), np.sqrt(1 - (n_glass * np.sin(angle)) ** 2)
    rs, rp = (
        ((n_glass * c1 - c2) / (n_glass * c1 + c2)) ** 2,
        ((c1 - n_glass * c2) / (c1 + n_glass * c2)) ** 2,
    )
    out = np.trapezoid(2 * np.pi * np.sin(angle) * (s * (1 - rs) + p * (1 - rp)), angle)
    return float(out / emission(stack).purcell)


def implied_outcoupling(eqe_limit: float, internal_yield: float) -> float:
    """Outcoupling that a stated EQE limit stands for, η = EQE/q, without recycling.

    Parameters
    ----------
    eqe_limit, internal_yield : float
        Fractions.

    Returns
    -------
    float

    References
    ----------
    .. [1] C. Cho et al., Nat. Commun. 11, 611 (2020), doi:10.1038/s41467-020-14401-1

    Examples
    --------
    >>> round(implied_outcoupling(0.22, 0.88), 4)
    0.25
    """
    return eqe_limit / internal_yield


def recycling_needed(eqe_limit: float, internal_yield: float, outcoupling: float) -> float:
    """Share of the photons that miss the first exit which must be absorbed again to reach a limit.

    EQE = q η / (1 − q (1 − η) a), the sum over all generations, solved for a [1]_.

    Parameters
    ----------
    eqe_limit, internal_yield, outcoupling : float
        EQE, q and η, fractions.

    Returns
    -------
    float
        a; above 1 the limit cannot be reached.

    References
    ----------
    .. [1] C. Cho et al., Nat. Commun. 11, 611 (2020), doi:10.1038/s41467-020-14401-1

    Examples
    --------
    >>> a = recycling_needed(0.25, 0.9, 0.2)
    >>> round(0.9 * 0.2 / (1 - 0.9 * 0.8 * a), 12)
    0.25
    """
    q, eta = internal_yield, outcoupling
    return (1 - q * eta / eqe_limit) / (q * (1 - eta))
