"""Pictures that answer to the pointer, and the same pictures where nobody points.

A live front end is one whose kernel was started by it; a headless run (papermill, nbconvert, a
script) gets the picture as it starts. Artists are made once; an answer moves them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.widgets import SpanSelector

#: Set by the front ends that can answer: Jupyter, VS Code, Colab.
FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")


def is_live() -> bool:
    """Whether a person sits in front of this kernel."""
    return shell() is not None and any(name in os.environ for name in FRONT_ENDS)


def keep_headless() -> None:
    """Make this process and its children headless, wherever they were started from."""
    for name in FRONT_ENDS:
        os.environ.pop(name, None)


def shell():
    """IPython's shell, None outside it."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


class Explorer:
    """A picture with choices; a topic's own fills in what is drawn.

    A subclass makes its artists on `figure` in `__init__`, and moves them in `update`. `menus` are
    the choices by name, `chosen` what is chosen; `spans` maps the name of a region to the axes on
    which it is drawn with the pointer, `chosen` holds its ends or None; `points` maps the name of a
    place to the axes on which it is clicked, `chosen` holds (x, y) or None; `sliders` are numbers
    by name, each with the lowest, the highest and the step. `rows` are the choices
    as lines of the sample sheet, `settings` those that are settings of the analysis.
    """

    figure: Figure
    menus: Mapping[str, Sequence[str]]
    spans: Mapping[str, Any] = {}
    points: Mapping[str, Any] = {}
    sliders: Mapping[str, tuple[float, float, float]] = {}
    moving: Sequence[Artist] = ()  #: what `update` moves, if all else stands still as a rule
    follows = True  #: whether places follow the pointer while a button is held
    chosen: dict[str, Any]

    def update(self) -> None:
        """Move the artists to what `chosen` says."""
        raise NotImplementedError

    @property
    def rows(self) -> list[dict[str, str]]:
        """The choices as cells of the sample sheet; empty where nothing was changed."""
        return []

    @property
    def settings(self) -> dict[str, Any]:
        """The choices as settings of the analysis; empty where nothing was changed."""
        return {}

    @property
    def files(self) -> dict[str, str]:
        """What an export writes of the choices, content by name."""
        return {}

    def choose(self, **wanted: Any) -> None:
        """Choose, from code; a menu has no word for what it does not know.

        Raises
        ------
        ValueError
            If a menu or region is unknown, or a menu does not hold the choice.
        """
        if unknown := set(wanted) - set(self.chosen):
            known, said = ", ".join(self.chosen), ", ".join(sorted(unknown))
            raise ValueError(f"choice: expected one of {known}, found {said}")
        for name in [name for name in self.chosen if name in wanted]:
            if name in self.menus and wanted[name] not in self.menus[name]:
                said = ", ".join(self.menus[name])
                raise ValueError(f"{name}: expected one of {said}, found {wanted[name]!r}")
            self.chosen[name] = wanted[name]
            self.turned(name)
        self.update()

    def turned(self, name: str) -> None:
        """A choice was made on which menus or other choices hang.

        Parameters
        ----------
        name : str
            Of the choice, one of `chosen`.
        """


class Layers:
    """A picture whose moving artists are drawn upon a kept picture of the rest.

    The rest is drawn anew where an axis has other limits, names or artists.

    Parameters
    ----------
    explorer : Explorer
    """

    def __init__(self, explorer: Explorer):
        self.explorer, self.known, self.rest = explorer, None, None

    def draw(self, canvas: FigureCanvasAgg) -> None:
        """Draw on the canvas, and bring it to where it is shown.

        Parameters
        ----------
        canvas : FigureCanvasAgg
            Of the explorer's figure.
        """
        figure, moving = self.explorer.figure, self.explorer.moving
        now = [canvas, figure.bbox.bounds]
        for axes in figure.axes:
            now += [axes.get_xlim(), axes.get_ylim(), axes.get_xlabel(), axes.get_ylabel()]
            now += axes.get_children()
        if now != self.known:
            for artist in moving:
                artist.set_animated(True)  # left out
            FigureCanvasAgg.draw(canvas)  # a live canvas would show it
            for artist in moving:
                artist.set_animated(False)
            self.known, self.rest = now, canvas.copy_from_bbox(figure.bbox)
        canvas.restore_region(self.rest)
        for artist in sorted(moving, key=lambda artist: artist.zorder):
            figure.draw_artist(artist)
        if hasattr(canvas, "blit"):
            canvas.blit(figure.bbox)


def picture(figure: Figure) -> bytes:
    """PNG of a figure, the same bytes for the same figure.

    Parameters
    ----------
    figure : Figure
        Drawn at its own resolution.

    Returns
    -------
    bytes
    """
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None}, pil_kwargs={})
    return stream.getvalue()


def lay_out(figure: Figure) -> None:
    """Place the axes once and for all: an answer is not to pay for it again.

    Parameters
    ----------
    figure : Figure
        With a layout engine, which it loses.
    """
    FigureCanvasAgg(figure)
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)


def show_picture(figure: Figure) -> None:
    """The figure as a still picture in the notebook; nothing outside one.

    Parameters
    ----------
    figure : Figure
    """
    if shell() is not None:
        from IPython.display import Image, display

        display(Image(data=picture(figure)))


def show(explorer: Explorer) -> None:
    """The explorer with its controls in a live front end, its picture elsewhere.

    Parameters
    ----------
    explorer : Explorer
        Brought up to date, its axes placed.
    """
    explorer.update()
    lay_out(explorer.figure)
    if is_live():
        from IPython.display import display

        display(controls(explorer))
    else:
        show_picture(explorer.figure)


def controls(explorer: Explorer):
    """Menus above a picture on a canvas that follows the pointer (ipympl), as one widget.

    Parameters
    ----------
    explorer : Explorer
        Keeps the selectors of its regions in `selectors`.

    Returns
    -------
    ipywidgets.VBox
    """
    import ipywidgets as widgets
    from ipympl.backend_nbagg import Canvas, FigureManager

    canvas = Canvas(explorer.figure)
    manager = FigureManager(canvas, 0)
    canvas.manager = manager
    canvas.toolbar_visible = canvas.header_visible = canvas.footer_visible = False
    canvas.resizable = False

    boxes = {
        name: widgets.Dropdown(options=list(options), value=explorer.chosen[name],
                               description=name.replace("_", " "))
        for name, options in explorer.menus.items()
    } | {
        name: widgets.FloatSlider(explorer.chosen[name], min=low, step=step, readout_format=".4g",
                                  max=max(high, explorer.chosen[name]), continuous_update=False,
                                  description=name.replace("_", " "))
        for name, (low, high, step) in explorer.sliders.items()
    }  # fmt: skip

    def answer(**wanted) -> None:
        if all(explorer.chosen[name] == value for name, value in wanted.items()):
            return
        explorer.choose(**wanted)
        for name, box in boxes.items():  # one menu may have changed what another offers
            if name in explorer.menus and box.options != tuple(explorer.menus[name]):
                box.options = tuple(explorer.menus[name])
            box.value = explorer.chosen[name]
        if explorer.moving:
            layers.draw(canvas)
        else:
            canvas.draw_idle()

    layers = Layers(explorer)
    for name, box in boxes.items():
        box.observe(lambda change, name=name: answer(**{name: change["new"]}), "value")
    explorer.selectors = [  # kept: matplotlib forgets a selector that nobody holds
        SpanSelector(
            axes,
            lambda low, high, name=name: answer(**{name: (low, high) if high > low else None}),
            "horizontal", useblit=True, interactive=True,
            props={"alpha": 0.2, "facecolor": "tab:orange"},
        )
        for name, axes in explorer.spans.items()
    ]  # fmt: skip

    def pointed(event) -> None:
        moves = event.name == "motion_notify_event"
        if (not event.button and not (moves and event.buttons)) or (moves and not explorer.follows):
            return
        for name, axes in explorer.points.items():
            if event.inaxes is axes:
                answer(**{name: (float(event.xdata), float(event.ydata))})

    for event in ("button_press_event", "motion_notify_event") if explorer.points else ():
        canvas.mpl_connect(event, pointed)
    wrapping = widgets.Layout(flex_flow="row wrap")
    return widgets.VBox([widgets.HBox(list(boxes.values()), layout=wrapping), canvas])
