"""Panels: one style, one set of colours, and on every panel what it stands on.

A panel is saved as SVG and PNG under its name (`fig2g`, `ed3n`) with its kind of source
stamped in the strip above the axes, a description in the file's own metadata, and a sidecar JSON
that names every input with its SHA-256. The same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from peled import files

if TYPE_CHECKING:  # whoever analyses without a picture does not wait for matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

SINGLE, DOUBLE = 89 / 25.4, 183 / 25.4  # widths of one and two journal columns, inch
RATIO = 0.72  # of height to width, at most of one column
STRIP = 0.17  # height of the strip above the axes that carries panel letter, title and stamp, inch

#: Okabe-Ito colours by name.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "pink": "#CC79A7",
    "amber": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
    "brown": "#8C564B",
    "grey": "#7F7F7F",
}

#: Colours of samples in their order, those of the style.
CYCLE = ("blue", "orange", "green", "pink", "amber", "sky", "black", "brown")

#: What a panel or verdict can stand on, strongest first, with the colour of its stamp.
KINDS = {
    "measured": "#1B7837",
    "calculated": "#2166AC",
    "recomputed": "#4D4D4D",
    "published": "#7B3294",
    "literature": "#00656B",
    "simulated": "#B35806",
}

_PACKAGES = ("numpy", "scipy", "matplotlib", "lmfit")


def use_style() -> None:
    """Set the repository's matplotlib style, for this process."""
    import matplotlib as mpl

    mpl.rcdefaults()
    mpl.style.use(Path(__file__).with_name("style") / "peled.mplstyle")


def colours_of(names: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """A colour for each sample or group: the one given, else the next of `CYCLE`.

    Parameters
    ----------
    names : iterable of str
        Labels of samples or groups, in the order of the legend.
    given : mapping of str to str, optional
        Colours of some of them.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> colours_of(["A", "B"], {"B": "black"})
    {'A': '#0072B2', 'B': 'black'}
    """
    given = given or {}
    return {n: given.get(n, COLOURS[CYCLE[i % len(CYCLE)]]) for i, n in enumerate(names)}


def plain(text: str) -> str:
    """A name that matplotlib draws as it stands: no mathematics, and in the legend in any case.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> print(plain("5 $ sample"))
    5 \\$ sample
    """
    text = text.replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text


def legend_above(ax, *, size: float = 5.5) -> None:
    """The legend over the axes, where no curve can lie under it, in as many columns as fit.

    Of more than twice `MOST` curves it names `MOST`, from the first to the last.

    Parameters
    ----------
    ax : Axes
    size : float
        Of the letters, points.
    """
    handles, labels = ax.get_legend_handles_labels()
    named = thinned(len(labels), MOST if len(labels) > 2 * MOST else 2 * MOST)
    handles, labels = [handles[i] for i in named], [labels[i] for i in named]
    each = max((0.55 * len(label) + 4) * size for label in labels) if labels else 1.0
    of = ax.get_subplotspec()
    share = 1.0 if of is None else len(of.colspan) / of.get_gridspec().ncols
    width = 0.75 * share * ax.figure.bbox.width / ax.figure.dpi * 72  # about, before the layout
    columns = min(max(1, int(width / each)), len(labels) or 1)
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "borderaxespad": 0.1}
    tight = {"handlelength": 1.4, "handletextpad": 0.4, "columnspacing": 1.0}
    ax.legend(handles, labels, fontsize=size, ncols=columns, frameon=False, **place, **tight)


MOST = 8  #: curves of one panel that a legend tells one by one


def thinned(count: int, most: int = MOST) -> list[int]:
    """Which of many curves a panel shows, or its legend names: evenly from the first to the last.

    Parameters
    ----------
    count : int
    most : int

    Returns
    -------
    list of int

    Examples
    --------
    >>> thinned(3), thinned(33, 5)
    ([0, 1, 2], [0, 8, 16, 24, 32])
    """
    if count <= most:
        return list(range(count))
    return [i * (count - 1) // (most - 1) for i in range(most)]


def shades(count: int) -> list[tuple[float, ...]]:
    """Colours of curves that have an order, light to dark.

    Parameters
    ----------
    count : int

    Returns
    -------
    list of tuple of float
        RGBA.
    """
    from matplotlib import colormaps

    return [colormaps["viridis_r"](0.15 + 0.85 * i / max(count - 1, 1)) for i in range(count)]


def panel(
    name: str, *, width: float = SINGLE, height: float | None = None, title: str = "", **subplots
):
    """A new figure for one panel, with its letter and an optional title in the strip above the
    axes.

    Parameters
    ----------
    name : str
        Panel name such as `fig2g`; `extra_...` for a figure without a letter.
    width, height : float
        Size in inch; `SINGLE` and `DOUBLE` are the journal's column widths. The height is 0.72 of
        the width by default.
    title : str
        A few words beside the letter.
    **subplots
        Passed to `matplotlib.pyplot.subplots` (`nrows`, `ncols`, `sharex`, `gridspec_kw`, ...).

    Returns
    -------
    figure, axes
        As `matplotlib.pyplot.subplots` returns them.
    """
    height = height or min(width, SINGLE) * RATIO
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(width, height), layout=_below_strip(height), **subplots)
    letter = "" if name.startswith("extra_") else re.sub(r"^(fig|ed)\d+", "", name)
    _head(figure, letter, title)
    return figure, axes


def blank(title: str) -> Figure:
    """An empty figure with its title in the strip, for a drawer that makes its own axes.

    Parameters
    ----------
    title : str

    Returns
    -------
    Figure
        One journal column wide (`SINGLE`), height 0.72 of that.
    """
    from matplotlib.figure import Figure

    height = SINGLE * RATIO
    figure = Figure(figsize=(SINGLE, height), layout=_below_strip(height))
    _head(figure, "", title)
    return figure


def _below_strip(height: float) -> ConstrainedLayoutEngine:
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, rect=(0, 0, 1, 1 - STRIP / height))


def _head(figure: Figure, letter: str, title: str) -> None:
    width, height = figure.get_size_inches()
    y = 1 - 0.5 * STRIP / height
    if letter:
        figure.text(0.05 / width, y, letter, weight="bold", size=8.5, va="center", ha="left")
    if title:
        figure.text((0.22 if letter else 0.05) / width, y, title, size=6.5, va="center", ha="left")


def stamp(figure: Figure, kind: str) -> None:
    """Write the kind of source into the upper right corner; of printed numbers only a drawing can
    be made.

    Parameters
    ----------
    figure : Figure
    kind : str
        One of `KINDS`.

    Raises
    ------
    ValueError
        If `kind` is not one of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"source kind: expected one of {', '.join(KINDS)}, found {kind!r}")
    width, height = figure.get_size_inches()
    figure.text(
        1 - 0.06 / width,
        1 - 0.5 * STRIP / height,
        "drawn from the legend" if kind == "published" else kind,
        size=5.5,
        color="white",
        va="center",
        ha="right",
        gid="source-kind",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": KINDS[kind], "edgecolor": "none"},
    )


@dataclass(frozen=True)
class Provenance:
    """Where a panel comes from: the content of its sidecar.

    `inputs` maps displayed paths to SHA-256; `cell` is the identifier of the notebook cell that
    saved the panel.
    """

    panel: str
    kind: str
    title: str
    inputs: Mapping[str, str]
    notebook: str = ""
    cell: str = ""
    parameters: Mapping[str, object] = None
    assumptions: tuple[str, ...] = ()

    def record(self) -> dict:
        """The sidecar's content, ready for JSON."""
        return {
            "panel": self.panel,
            "source_kind": self.kind,
            "title": self.title,
            "inputs": dict(self.inputs),
            "notebook": self.notebook,
            "cell": self.cell,
            "parameters": dict(self.parameters or {}),
            "assumptions": list(self.assumptions),
            "packages": _package_versions(),
        }


def _package_versions() -> dict[str, str]:
    """Versions of what a figure depends on."""
    import peled

    found = {"peled": peled.__version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a vendored or system build without metadata
            found[name] = "unknown"
    return found


def save(figure: Figure, folder: str | Path, provenance: Provenance) -> list[Path]:
    """Stamp the figure and write `<panel>.svg`, `<panel>.png` and the sidecar `<panel>.json`, each
    whole or not at all.

    Parameters
    ----------
    figure : Figure
        As `panel` or `blank` makes it; its layout is fixed here.
    folder : path-like
    provenance : Provenance
        Gives the file names, the stamp and the sidecar.

    Returns
    -------
    list of Path
        SVG, PNG, JSON.

    Raises
    ------
    OSError
        If `folder` cannot be written.
    ValueError
        If the kind is unknown.
    """
    stamp(figure, provenance.kind)
    for ax in figure.axes:
        for label in (ax.xaxis.label, ax.yaxis.label):
            label.set_text(_sentence(label.get_text()))
    # Laid out once for SVG, PNG and the notebook's own picture; "none" would leave an engine that
    # makes matplotlib draw each of them twice.
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)
    record = provenance.record()
    short = json.dumps(
        {key: record[key] for key in ("panel", "source_kind", "inputs", "notebook", "cell")},
        sort_keys=True,
    )
    title = f"{provenance.panel}: {provenance.title} [{provenance.kind}]"
    metadata = {
        "svg": {
            "Date": None,
            "Creator": None,
            "Title": title,
            "Description": short,
            "Source": provenance.notebook,
        },
        "png": {
            "Software": None,
            "Title": title,
            "Description": short,
            "Source": provenance.notebook,
        },
    }
    folder, written = Path(folder), []
    for suffix, entries in metadata.items():
        stream = io.BytesIO()
        figure.savefig(stream, format=suffix, metadata=entries)
        record.setdefault("sha256", {})[suffix] = hashlib.sha256(stream.getvalue()).hexdigest()
        written.append(
            files.write_atomically(folder / f"{provenance.panel}.{suffix}", stream.getvalue())
        )
    written.append(
        files.write_atomically(folder / f"{provenance.panel}.json", files.to_json(record))
    )
    figure.stale = False  # what is drawn is saved: nothing for IPython to draw again
    figure.inline_png = _half_size(stream.getvalue())
    return written


def _sentence(label: str) -> str:
    """A label of an axis with a capital, where it begins with a word and not with a symbol or unit.

    >>> _sentence("wavelength (nm)"), _sentence("x_Br"), _sentence("meV"), _sentence("ppm")
    ('Wavelength (nm)', 'x_Br', 'meV', 'ppm')
    """
    return re.sub(r"^[a-z](?=[a-z]{3,}\b)", lambda first: first[0].upper(), label)


def _half_size(png: bytes) -> bytes:
    """A picture of half the width and height, for a notebook's own page: no second drawing."""
    import matplotlib as mpl
    from PIL import Image

    picture, stream = Image.open(io.BytesIO(png)).convert("RGB").reduce(2), io.BytesIO()
    picture.save(stream, "png", dpi=(mpl.rcParams["savefig.dpi"] / 2,) * 2)
    return stream.getvalue()
