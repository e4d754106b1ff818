"""What a notebook needs around its physics: where its files are, panels saved with provenance,
results and verdicts kept.

One object serves one notebook from its first code cell to its last:

>>> room = open_room("synthesis", **parameters)            # doctest: +SKIP
>>> fig, ax = room.panel("fig1a")                          # doctest: +SKIP
>>> room.save(fig, "fig1a", inputs=[path])                 # doctest: +SKIP
>>> room.check("C028", 2.008, 0.004, kind="recomputed")    # doctest: +SKIP
>>> room.finish()                                          # doctest: +SKIP
"""

from __future__ import annotations

import html
import json
import math
import os
import time
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from pathlib import Path

import fastjsonschema

from ledger import files, paper
from peled import figures
from peled.lab.live import is_live
from peled.lab.live import shell as _shell
from peled.sources import SOURCE_KINDS, kind_of

#: Parameters that every notebook has, with their defaults.
COMMON_PARAMETERS = {
    "data_dir": "data",
    "figures_dir": "figures",
    "results_dir": "figures/results",
    "quick": False,
}

#: Names the folder in which a headless run collects its outputs before they are renamed into place.
STAGE = "PELED_STAGE"
#: What a slider may cost (CPU seconds, picture included) and still be followed while it moves.
AT_ONCE_S = 0.2
#: Names the folder of results that a notebook reads which gathers those of the others; by default
#: its own `results_dir`.
RESULTS = "PELED_RESULTS"


class Room:
    """The desk of one notebook. Made by `open_room`."""

    def __init__(self, topic: str, parameters: dict):
        self.topic = topic
        self.parameters = dict(parameters)
        self.quick = bool(parameters["quick"])
        self.figures_dir = self._place("figures_dir", "figures")
        self.results_dir = self._place("results_dir", "results")
        self._quantities: dict[str, dict] = {}
        self._verdicts: dict[tuple[str, str], paper.Verdict] = {}
        self._figures: dict[str, dict] = {}
        figures.use_style()
        _tune_inline_backend()

    def _place(self, name: str, inside: str) -> Path:
        """Where panels or results go: the stage of a headless run; a folder of their own where a
        person tries things; else what the parameter says.
        """
        if stage := os.environ.get(STAGE):
            return Path(stage) / inside
        if is_live() and self.parameters[name] == COMMON_PARAMETERS[name]:
            return files.ROOT / "build" / "interactive" / inside
        return files.resolve(self.parameters[name])

    # ---- files -----------------------------------------------------------------------------------

    @cached_property
    def folder(self) -> Path:
        """The folder of this topic's data files."""
        return files.topic_folder(self.parameters["data_dir"], self.topic)

    def file(self, name: str) -> Path:
        """One data file of this topic.

        Raises
        ------
        MissingDataError
            Naming the folder, what is in it, and where the expected files are described.
        """
        path = self.folder / name
        if not path.exists():
            there = sorted(p.name for p in self.folder.iterdir())[:8]
            raise files.MissingDataError(
                f"{files.display_path(self.folder)}: expected the file {name}, found "
                f"{', '.join(there) or 'an empty folder'}; "
                f"data/{self.topic}/README.md describes the files"
            )
        return path

    def file_or_bundled(self, name: str) -> Path:
        """One data file of this topic, the repository's own where the folder in `data_dir` has
        none."""
        path = self.folder / name
        return path if path.exists() else files.ROOT / "data" / self.topic / name

    def files(self, *patterns: str) -> list[Path]:
        """All data files of this topic that match any of the patterns, sorted by name.

        Raises
        ------
        MissingDataError
            If none matches.
        """
        found = sorted(
            {
                path
                for pattern in patterns
                for path in self.folder.glob(pattern)
                if not path.name.startswith(".")
            }
        )
        if not found:
            raise files.MissingDataError(
                f"{files.display_path(self.folder)}: expected files like "
                f"{' or '.join(patterns)}, found none; data/{self.topic}/README.md "
                "describes the files"
            )
        return found

    # ---- figures ---------------------------------------------------------------------------------

    def panel(self, name: str, **options):
        """A new figure for a panel; see `peled.figures.panel`."""
        return figures.panel(name, **options)

    def save(
        self,
        figure,
        name: str,
        *,
        inputs: Iterable[str | Path] = (),
        kind: str | None = None,
        title: str = "",
        assumptions: Iterable[str] = (),
    ) -> None:
        """Save a panel as SVG, PNG and sidecar.

        Parameters
        ----------
        figure : matplotlib Figure
        name : str
            The paper's name, such as `fig2g`.
        inputs : paths
            The data files it was made from.
        kind : str, optional
            Kind of source; by default the weakest of the inputs, as the data catalogue has it.
        title : str
            What is shown; by default as the panel ledger has it.
        assumptions : strings
            What was assumed beyond the paper.
        """
        inputs = [Path(path) for path in inputs]
        kind = kind or kind_of(*inputs)
        known = paper.panels().get(name)
        provenance = figures.Provenance(
            panel=name,
            kind=kind,
            title=title or (known.plotted if known else name),
            inputs=dict(sorted(_digests(inputs))),
            notebook=self.notebook,
            cell=self._cell(),
            parameters=self._shown_parameters(),
            assumptions=tuple(assumptions),
        )
        figures.save(figure, self.figures_dir, provenance)
        self._figures[name] = {
            "name": name,
            "source_kind": kind,
            "title": provenance.title,
            "inputs": provenance.inputs,
            "cell": provenance.cell,
        }

    def write(self, name: str, content: str) -> None:
        """Write a further result file, such as a table to take away, beside the results as
        `<topic>_<name>`."""
        files.write_atomically(self.results_dir / f"{self.topic}_{name}", content)

    # ---- results ---------------------------------------------------------------------------------

    def quantity(
        self,
        name: str,
        value: float,
        standard_error: float | None = None,
        unit: str = "",
        kind: str = "recomputed",
    ) -> None:
        """Keep one fitted or computed number for the results.

        Raises
        ------
        ValueError
            If the name is used twice with different values, the value is not finite, or the kind
            unknown.
        """
        value = float(value)
        error = None if standard_error is None else float(standard_error)
        if not math.isfinite(value) or (
            error is not None and not (math.isfinite(error) and error >= 0)
        ):
            raise ValueError(
                f"quantity {name!r}: expected a finite value and standard error, found "
                f"{value} ± {error}"
            )
        if kind not in SOURCE_KINDS:
            raise ValueError(
                f"quantity {name!r}: source kind: expected one of "
                f"{', '.join(SOURCE_KINDS)}, found {kind!r}"
            )
        self._quantities[name] = {
            "name": name,
            "value": value,
            "standard_error": error,
            "unit": unit,
            "source_kind": kind,
        }

    def check(self, claim_id: str, found=None, standard_error=0.0, *, kind: str, **options) -> None:
        """Judge a claim and keep the verdict; see `ledger.paper.judge` for the parameters."""
        self._keep(paper.judge(claim_id, found, standard_error, kind=kind, **options))

    def not_testable(self, claim_id: str, why: str) -> None:
        """Keep that a claim cannot be tested here, and why."""
        self._keep(paper.not_testable(claim_id, why))

    def _keep(self, verdict: paper.Verdict) -> None:
        # Evidence may come from any notebook; the scoreboard gathers it.
        self._verdicts[verdict.claim_id, verdict.route] = verdict

    def verdicts(self) -> VerdictTable:
        """All verdicts so far, as a table that a notebook shows."""
        return VerdictTable(sorted(self._verdicts.values(), key=lambda v: (v.claim_id, v.route)))

    def missing_claims(self) -> list[str]:
        """Claims of this topic without any verdict yet."""
        judged = {claim_id for claim_id, _ in self._verdicts}
        return [
            entry.id
            for entry in paper.claims().values()
            if entry.topic == self.topic and entry.id not in judged
        ]

    def missing_panels(self) -> list[str]:
        """Panels of this topic, described in the paper, that have not been saved yet."""
        return [
            p.name
            for p in paper.panels().values()
            if p.topic == self.topic
            and p.name not in self._figures
            and not p.plotted.startswith("not described")
        ]

    def results(self) -> dict:
        """The notebook's results: `quantities`, `verdicts`, `figures`, in a fixed order."""
        return {
            "topic": self.topic,
            "notebook": self.notebook,
            "parameters": self._shown_parameters(),
            "quantities": list(self._quantities.values()),
            "verdicts": [v.record() for v in self.verdicts().rows],
            "figures": [self._figures[name] for name in sorted(self._figures)],
        }

    def finish(self) -> None:
        """Validate the results against the schema, write `<results_dir>/<topic>.json` and print a
        summary.

        Raises
        ------
        ValueError
            If claims or panels of the topic are missing, or the results do not fit the schema.
        """
        missing = self.missing_claims() + self.missing_panels()
        if missing:
            raise ValueError(
                f"{self.topic}: expected a verdict on every claim and a file for every "
                f"panel; missing: {', '.join(missing)}"
            )
        results = self.results()
        if problem := misfit(results):
            raise ValueError(f"{self.topic}: results, {problem}")
        files.write_atomically(self.results_dir / f"{self.topic}.json", files.to_json(results))
        print(
            f"{len(results['figures'])} panels, {len(results['quantities'])} quantities; "
            f"claims: {self.verdicts().summary()}"
        )

    # ---- where it runs ---------------------------------------------------------------------------

    @cached_property
    def notebook(self) -> str:
        """The notebook's path inside the repository."""
        found = sorted((files.ROOT / "notebooks").glob(f"[0-9][0-9]_{self.topic}.ipynb"))
        return files.display_path(found[0]) if found else ""

    @cached_property
    def _cells(self) -> dict[str, str]:
        """Cell identifiers of the notebook by source."""
        if not self.notebook:
            return {}
        cells = json.loads((files.ROOT / self.notebook).read_text(encoding="utf-8"))["cells"]
        return {
            "".join(cell["source"]).strip(): cell.get("id", str(i))
            for i, cell in enumerate(cells)
            if cell["cell_type"] == "code"
        }

    def _cell(self) -> str:
        shell = _shell()
        return self._cells.get(shell.user_ns.get("In", [""])[-1].strip(), "") if shell else ""

    def _shown_parameters(self) -> dict:
        shown = dict(self.parameters)
        for name in ("data_dir", "figures_dir", "results_dir"):
            path = Path(str(shown[name])).expanduser()
            shown[name] = files.display_path(path) if path.is_absolute() else path.as_posix()
        return shown


def explore(draw, **controls) -> None:
    """Sliders in a live notebook; one static rendering where no front end is attached (headless
    runs, code hosts).

    Parameters
    ----------
    draw : callable
        Called with one keyword a control; draws with pyplot or prints.
    **controls
        `(low, high, step, start)` makes a slider, a list makes a choice (its first entry starts), a
        bool a check box.
    """
    starts = {
        name: c[3] if isinstance(c, tuple) else c[0] if isinstance(c, list) else c
        for name, c in controls.items()
    }
    if not is_live():
        draw(**starts)
        return
    import ipywidgets as widgets
    from IPython.display import display

    def control(name: str, c) -> widgets.Widget:
        look = {"description": name.replace("_", " "), "style": {"description_width": "initial"}}
        if isinstance(c, tuple):
            kind = widgets.IntSlider if all(isinstance(x, int) for x in c) else widgets.FloatSlider
            return kind(min=c[0], max=c[1], step=c[2], value=c[3], layout={"width": "28em"}, **look)
        return (
            widgets.Dropdown(options=c, **look)
            if isinstance(c, list)
            else widgets.Checkbox(value=c, **look)
        )

    def show(**values) -> None:
        import matplotlib.pyplot as plt

        began = time.process_time()
        draw(**values)
        plt.show()
        slow = time.process_time() - began > AT_ONCE_S
        for widget in made.values():  # a slow picture comes when the slider is let go
            if widget.has_trait("continuous_update"):
                widget.continuous_update = not slow

    made = {name: control(name, c) for name, c in controls.items()}
    display(widgets.VBox(list(made.values())), widgets.interactive_output(show, made))


class VerdictTable:
    """Verdicts as a table: plain text in a terminal, HTML in a notebook."""

    HEAD = ("claim", "verdict", "test", "kind", "printed", "found", "route and note")

    def __init__(self, rows: list[paper.Verdict]):
        self.rows = rows

    def summary(self) -> str:
        """Count of claims by combined verdict."""
        routes: dict[str, list[paper.Verdict]] = {}
        for row in self.rows:
            routes.setdefault(row.claim_id, []).append(row)
        combined = [paper.combine(verdicts).verdict for verdicts in routes.values()]
        return ", ".join(
            f"{combined.count(word)} {word}" for word in paper.VERDICTS if word in combined
        )

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                v.claim_id,
                v.verdict,
                v.test,
                v.source_kind,
                v.published or "(statement)",
                shown(v),
                ": ".join(filter(None, (v.route, v.note))),
            )
            for v in self.rows
        ]

    def __repr__(self) -> str:
        return "\n".join(
            "  ".join(
                cell.ljust(width)
                for cell, width in zip(row[:6], (5, 17, 13, 10, 24, 24), strict=True)
            ).rstrip()
            for row in [self.HEAD, *self._cells()]
        )

    def _repr_html_(self) -> str:
        return as_html(self.HEAD, self._cells())


def as_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that a notebook shows.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequences of str
        Each as long as the head.

    Returns
    -------
    str
    """

    def line(cells, tag):
        made = (f'<{tag} style="text-align:left">{html.escape(c)}</{tag}>' for c in cells)
        return f"<tr>{''.join(made)}</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(cells, 'td') for cells in rows)}</table>"


def open_room(topic: str, **parameters) -> Room:
    """Open the desk of a notebook with its parameters.

    Parameters
    ----------
    topic : str
        The stem of the notebook: `synthesis`, `led`, ...
    **parameters
        All the notebook's parameters; `COMMON_PARAMETERS` must be among them.

    Raises
    ------
    TypeError
        If a common parameter is missing, or a name was injected that the notebook does not know (a
        mistyped `-p`).
    MissingDataError
        If `data_dir` is not a folder.
    """
    lacking = [name for name in COMMON_PARAMETERS if name not in parameters]
    if lacking:
        raise TypeError(
            f"{topic}: parameters: expected {', '.join(COMMON_PARAMETERS)}; missing: "
            f"{', '.join(lacking)}"
        )
    _refuse_unknown_parameters(topic, parameters)
    room = Room(topic, parameters)
    room.folder  # noqa: B018  a wrong data_dir is said at once
    return room


@cache
def _results_validator():
    schema = Path(__file__).with_name("schemas") / "results.schema.json"
    # Its words are those of every draft since 7, the newest that this library knows.
    return fastjsonschema.compile(json.loads(schema.read_text(encoding="utf-8")))


def misfit(results: dict) -> str | None:
    """Where and how the results of a notebook do not fit their schema, or None."""
    try:
        _results_validator()(results)
    except fastjsonschema.JsonSchemaValueException as error:
        return f"{error.name}: {error.message.removeprefix(error.name)[:200].strip()}"
    return None


def shown(v: paper.Verdict) -> str:
    """What was found, to the digits that its standard error carries, with its unit."""
    if v.found is None:
        return ""
    if isinstance(v.found, str):
        return v.found
    values = v.found if isinstance(v.found, list) else [v.found]
    text = "; ".join(_rounded(x, v.standard_error) for x in values)
    error = f" ± {_rounded(v.standard_error, v.standard_error)}" if v.standard_error else ""
    return f"{text}{error} {v.unit}".strip()


def _rounded(value: float, standard_error: float | None) -> str:
    """A number to the second digit of its standard error: digits beyond it differ between machines
    and mean nothing."""
    if not standard_error or not 1e-4 < standard_error < 1e4:
        return f"{value:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(standard_error)))
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def _digests(paths: list[Path]):
    for path in paths:
        if path.is_dir():
            yield from _digests(sorted(p for p in path.rglob("*") if p.is_file()))
        else:
            yield files.display_path(path), files.sha256(path)


def _tune_inline_backend() -> None:
    """Inline pictures as laid out and saved, so that stored outputs are the same everywhere."""
    shell = _shell()
    if shell is None:
        return
    from IPython.core.pylabtools import select_figure_formats
    from matplotlib.figure import Figure
    from matplotlib_inline.config import InlineBackend

    backend = InlineBackend.instance(parent=shell)
    backend.print_figure_kwargs = {"bbox_inches": None, "metadata": {"Software": None}}
    select_figure_formats(shell, backend.figure_formats, **backend.print_figure_kwargs)
    formatter = shell.display_formatter.formatters["image/png"]
    drawn = formatter.for_type(Figure)

    def shown(figure: Figure) -> str:
        kept = getattr(figure, "inline_png", None)
        if kept is None or figure.stale:
            return drawn(figure)
        return b2a_base64(kept, newline=False).decode("ascii")

    formatter.for_type(Figure, shown)


def _refuse_unknown_parameters(topic: str, parameters: dict) -> None:
    """Papermill sets any name it is given. Nothing else has run yet, so an unknown name is a
    mistyped parameter."""
    shell = _shell()
    if shell is None or shell.execution_count > 4:
        return
    hidden = set(shell.user_ns_hidden) | {"In", "Out", "exit", "quit", "get_ipython", "open"}
    unknown = sorted(
        name
        for name, value in shell.user_ns.items()
        if not name.startswith("_")
        and name not in hidden
        and name not in parameters
        and isinstance(value, (str, int, float, bool, list, dict, type(None)))
    )
    if unknown:
        raise TypeError(
            f"{topic}: unknown parameter: {', '.join(unknown)}; this notebook knows "
            f"{', '.join(parameters)}"
        )
