"""How much light a planar LED can let out at best: dipole emission in its full stack, by loss channel.

The stack is described once (`Layer`) and handed to `peled.optics.dipole_emission`, with the substrate as a thick, incoherent
slab whose far face is air: light that comes back from there meets the reflectance of the whole cavity. The ceiling on the
EQE without photon recycling is the emission efficiency of the dipole in the cavity times the outcoupling,

    EQE_max = q F / (1 − q + q F) · η_out,

with q the internal yield in the unbounded emitter and F the Purcell factor. Recycling can only add to that; what would be needed to
reach a given EQE by recycling is `recycling_needed`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from peled.formats import FormatError, read_yaml
from peled.formats.contract import reader
from peled.optics.dipole import DipoleEmission, dipole_emission
from peled.optics.indices import index_table, read_index


@dataclass(frozen=True)
class Layer:
    """One layer: name, complex refractive index at the emission wavelength, thickness (None for the substrate), role and sources."""

    name: str
    n: float
    k: float
    thickness_nm: float | None
    role: str
    thickness_source: str = ""
    index_source: str = ""

    @property
    def index(self) -> complex:
        return complex(self.n, self.k)


@dataclass(frozen=True)
class Stack:
    """Layers from the substrate up; air lies beyond both ends."""

    layers: tuple[Layer, ...]
    wavelength_nm: float
    levels: tuple[Mapping, ...] = field(default=(), repr=False)

    def __getitem__(self, name: str) -> Layer:
        return self.layers[self.index(name)]

    def index(self, name: str) -> int:
        """Position of the layer of that name or, for `emitter` and the like, role."""
        for i, layer in enumerate(self.layers):
            if name in (layer.name, layer.role):
                return i
        raise KeyError(
            f"stack: expected a layer {name!r}, found {', '.join(layer.name for layer in self.layers)}"
        )

    def change(self, name: str, **values) -> Stack:
        """The stack with one layer changed (`thickness_nm`, `n`, `k`); a thickness may be an array, for a scan."""
        i = self.index(name)
        layers = list(self.layers)
        layers[i] = replace(layers[i], **values)
        return replace(self, layers=tuple(layers))

    def scale_role(self, role: str, total_nm) -> Stack:
        """All layers of a role (such as `hole`) scaled together to a total thickness, array for a scan."""
        members = [layer for layer in self.layers if layer.role == role]
        if not members:
            raise KeyError(
                f"stack: expected layers with the role {role!r}, found {', '.join({layer.role for layer in self.layers})}"
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
        """The stack reduced to the named layers."""
        return replace(self, layers=tuple(self[name] for name in names))


@reader("a stack of layers in YAML")
def read_stack(path: str | Path) -> Stack:
    """A stack from YAML: `wavelength_nm` of the emission, `stack` (a list from the substrate up;
    each layer with n and k or an `index_table`) and, for drawing, `levels`.

    Raises
    ------
    FormatError
        Naming the layer: a missing key, a thickness or index that is not a positive number, no or several emitters.
    """
    path = Path(path)
    found = read_yaml(path, what="a stack of layers in YAML")
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
    wavelength = found.get("wavelength_nm")
    if not isinstance(wavelength, (int, float)) or not 100 < wavelength < 5000:
        raise FormatError(
            path, expected="wavelength_nm, of the emission, as a number", found=repr(wavelength)
        )
    layers = []
    for number, entry in enumerate(found["stack"], 1):
        place = f"stack, layer {number} ({entry.get('name', 'no name')})"
        thickness = entry.get("thickness_nm")
        entry = _with_index(path, place, entry, float(wavelength), number == 1)
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
                raise FormatError(
                    path,
                    place=place,
                    expected=f"{key} as a number from {least:g}",
                    found=repr(value),
                )
        layers.append(
            Layer(
                str(entry["name"]),
                float(entry["n"]),
                float(entry.get("k", 0.0)),
                None if thickness is None else float(thickness),
                str(entry["role"]),
                str(entry.get("thickness_source", "")),
                str(entry.get("index_source", "")),
            )
        )
    if sum(layer.role == "emitter" for layer in layers) != 1:
        raise FormatError(
            path,
            place="stack",
            expected="one layer with the role emitter",
            found=str(sum(layer.role == "emitter" for layer in layers)),
        )
    return Stack(
        tuple(layers),
        float(wavelength),
        tuple(found.get("levels", ())),
    )


def _with_index(
    path: Path, place: str, entry: Mapping, wavelength_nm: float, substrate: bool
) -> dict:
    """The entry with n and k from its table, which lies beside the stack's file or among the repository's."""
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
    # A thick window absorbs nothing that matters here, and an absorbing outer medium has no far field.
    return {
        **entry,
        "n": value.real,
        "k": 0.0 if substrate else value.imag,
        "index_source": " ".join(found.source.split()),
    }


def emission(
    stack: Stack,
    *,
    orientation: str | float = "isotropic",
    wavelength_nm: float | None = None,
    layers: bool = False,
    tolerance: float = 1e-5,
    depth=None,
) -> DipoleEmission:
    """Dipole emission of the stack's emitter by channel; thicknesses may be arrays of one length."""
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
        wavelength_nm or stack.wavelength_nm,
        outside=1.0,
        orientation=orientation,
        layers=layers,
        tolerance=tolerance,
        depth=depth,
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
        """Ceiling of the EQE (central, low, high) without recycling, for an internal yield that the cavity speeds up only slightly."""
        q = internal_yield * self.purcell / (1 - internal_yield + internal_yield * self.purcell)
        return q * self.central, q * self.low, q * self.high


def ceiling(
    stack: Stack, varied: Mapping[str, Sequence[float]], *, tolerance: float = 1e-4
) -> Ceiling:
    """Outcoupling of the stack, and its range over what is not known of it.

    Parameters
    ----------
    stack : Stack
    varied : mapping
        Values for `emitter_nm`, `hole_nm`, `ito_nm`, `organic_index` (all transparent hole and
        electron layers together), `vertical` (fraction of vertical dipoles) and, alone only,
        `ito_index`. The hole layers are scanned in one call each.
    """
    centre = emission(stack, tolerance=tolerance)
    central = float(centre.outcoupling)
    table = [("as described", central)]

    def made(emitter=None, hole=None, ito=None, index=None) -> Stack:
        s = stack
        if emitter is not None:
            s = s.change("emitter", thickness_nm=emitter)
        if hole is not None:
            s = s.scale_role("hole", hole)
        if ito is not None:
            s = s.change("anode", thickness_nm=ito)
        if index is not None:
            for layer in s.layers:
                if layer.role in ("hole", "electron") and layer.k == 0 and layer.n > 1.55:
                    s = s.change(layer.name, n=index)
        return s

    def note(label: str, values, outcoupling) -> None:
        table.extend(
            (label.format(v), float(o))
            for v, o in zip(values, np.atleast_1d(outcoupling), strict=True)
        )

    hole, emitter = np.array(varied["hole_nm"]), np.array(varied["emitter_nm"])
    note("emitter {:g} nm", emitter, _scan(stack, "emitter", emitter, tolerance))
    note(
        "hole layers {:g} nm together",
        hole,
        emission(made(hole=hole), tolerance=tolerance).outcoupling,
    )
    note(
        "ITO {:g} nm",
        varied["ito_nm"],
        [emission(made(ito=v), tolerance=tolerance).outcoupling for v in varied["ito_nm"]],
    )
    note(
        "ITO index {:.2f}",
        varied["ito_index"],
        [
            emission(stack.change("anode", n=v), tolerance=tolerance).outcoupling
            for v in varied["ito_index"]
        ],
    )
    note(
        "organic index {:.2f}",
        varied["organic_index"],
        [emission(made(index=v), tolerance=tolerance).outcoupling for v in varied["organic_index"]],
    )
    note(
        "vertical dipole share {:.2f}",
        varied["vertical"],
        [
            emission(stack, orientation=v, tolerance=tolerance).outcoupling
            for v in varied["vertical"]
        ],
    )
    everything = [
        emission(made(e, hole, i, n), orientation=v, tolerance=tolerance).outcoupling
        for e, i, n, v in itertools.product(
            emitter, varied["ito_nm"], varied["organic_index"], varied["vertical"]
        )
    ]
    alone = [value for label, value in table if not label.startswith("vertical")]
    return Ceiling(
        central,
        min(alone),
        max(alone),
        float(np.min(everything)),
        float(np.max(everything)),
        tuple(table),
        float(centre.purcell),
    )


def _scan(stack: Stack, name: str, values: np.ndarray, tolerance: float) -> np.ndarray:
    return emission(
        stack.change(name, thickness_nm=np.asarray(values, float)), tolerance=tolerance
    ).outcoupling


def half_stack_outcoupling(stack: Stack) -> float:
    """Outcoupling by a common shortcut: glass-air transmission applied once to the light in the glass, without what comes back.

    The light that the far face sends back is lost here; in the device it meets the reflectance of the whole cavity and part of
    it leaves on a later pass. The difference from `emission` is what the shortcut costs.
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
    """Outcoupling that a stated EQE limit stands for at a stated internal yield: their quotient."""
    return eqe_limit / internal_yield


def recycling_needed(eqe_limit: float, internal_yield: float, outcoupling: float) -> float:
    """Share of the photons that miss the first exit which the emitter must absorb again to reach an EQE limit.

    EQE = q η / (1 − q (1 − η) a) is solved for a; above 1 the limit cannot be reached. (W. Shockley-type geometric series; C. Cho et
    al., Nat. Commun. 11, 611 (2020).)
    """
    q, eta = internal_yield, outcoupling
    return (1 - q * eta / eqe_limit) / (q * (1 - eta))
