"""One page of a campaign: how each quantity is distributed, what stands out, what it goes with."""

from __future__ import annotations

import base64
import html
import io
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from peled.campaign import statistics
from peled.files import write_atomically
from peled.quantities import shown

TRENDS = 4  #: pictures of trends in a row: the clearest ones
PER_PAGE = 6  #: quantities on a page of the PDF
LINES = 88  #: of text on a page of the PDF
WIDTH = 1.75  # of a picture, inch
HEIGHT = 1.75
_PAGE = (8.27, 11.69)
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:74rem;padding:0 1rem;
color:#222;background:#fff}
table{border-collapse:collapse;font-size:13px}td,th{text-align:left;padding:.15rem .6rem;
border-bottom:1px solid #ddd;vertical-align:top}img{max-width:100%;height:auto}
.bad{color:#a33}section{margin:1.6rem 0}
"""


@dataclass(frozen=True)
class Point:
    """A quantity of one sample."""

    folder: str
    sample: str
    group: str
    value: float
    said: Mapping[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        return f"{self.folder}/{self.sample}" if self.folder else self.sample


@dataclass
class Series:
    """One quantity over all samples that have a number for it."""

    name: str
    state: str
    unit: str
    points: list[Point] = field(default_factory=list)
    withheld: int = 0
    limits: int = 0
    doubtful: int = 0

    @property
    def title(self) -> str:
        return f"{self.name} ({self.state})" if self.state else self.name

    @property
    def axis(self) -> str:
        return textwrap.fill(", ".join(filter(None, (self.name, shown(self.unit)))), 26)

    def said(self, point: Point) -> str:
        """The number of a point with its unit.

        Parameters
        ----------
        point : Point

        Returns
        -------
        str
            Four significant digits.
        """
        return f"{point.value:.4g} {shown(self.unit)}".rstrip()

    @cached_property
    def groups(self) -> dict[str, list[Point]]:
        out: dict[str, list[Point]] = {}
        for point in self.points:
            out.setdefault(point.group, []).append(point)
        return dict(sorted(out.items(), key=lambda g: (g[0].casefold() != "control", g[0])))

    @cached_property
    def outliers(self) -> list[Point]:
        return [
            members[i]
            for members in self.groups.values()
            for i in statistics.outliers([p.value for p in members])
        ]

    def dated(self) -> dict[str, list[Point]]:
        """Points with a date, by group, in the order of dates."""
        out = {}
        for group, members in self.groups.items():
            with_date = [p for p in members if p.said.get("date")]
            if len({p.said["date"] for p in with_date}) > 1:
                out[group] = sorted(with_date, key=lambda p: str(p.said["date"]))
        return out

    @cached_property
    def beyond(self) -> list[Point]:
        """Points outside the limits of their control chart."""
        out = []
        for members in self.dated().values():
            if found := statistics.limits([p.value for p in members]):
                out += [p for p in members if not found[1] <= p.value <= found[2]]
        return out

    def trends(self, columns: Iterable[str]) -> list[tuple[str, float, float]]:
        """(column, rank correlation, p) of numeric columns, the clearest first.

        Within groups: from both the median of the group is taken, so that what tells the groups
        apart is no trend.

        Parameters
        ----------
        columns : iterable of str
            Of the sheets.

        Returns
        -------
        list of (str, float, float)
            By rising p; columns with too few numbers, or none that differ, are left out.
        """
        out = []
        for column in columns:
            pairs = [pair for one in self.groups.values() for pair in _centred(one, column)]
            if pairs and (found := statistics.trend(*zip(*pairs))):
                out.append((column, *found))
        return sorted(out, key=lambda t: t[2])


def _pairs(points: Iterable[Point], column: str) -> list[tuple[float, float]]:
    return [(x, p.value) for p in points if (x := number(p.said.get(column))) is not None]


def _centred(points: Iterable[Point], column: str) -> list[tuple[float, float]]:
    pairs = np.array(_pairs(points, column)).reshape(-1, 2)
    return [tuple(pair) for pair in pairs - (np.median(pairs, axis=0) if len(pairs) else 0)]


def number(value: Any) -> float | None:
    """The number in a cell of the sheet, None where it holds a word or nothing.

    Parameters
    ----------
    value : object
        A decimal comma counts as a point.

    Returns
    -------
    float or None
        Finite.
    """
    try:
        found = float(str(value).replace(",", "."))
    except ValueError:
        return None
    return found if np.isfinite(found) else None


class Gathered:
    """What passes of the rows on their way into the table: values by quantity, counts by sample."""

    def __init__(self, columns: Sequence[str]):
        self.columns = [c for c in columns if c not in ("date", "note", "operator")]
        self.series: dict[tuple[str, str, str], Series] = {}
        self.samples: dict[tuple[str, str], dict[str, Any]] = {}

    def passing(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The same rows; replicates of one sample become their mean.

        Parameters
        ----------
        rows : iterable of dict
            As `peled.campaign.table.rows_of` gives them.

        Yields
        ------
        dict
            Each row unchanged; points are gathered once the last has passed.
        """
        several: dict[tuple, list[float]] = {}
        said: dict[tuple, dict[str, Any]] = {}
        for row in rows:
            yield row
            place = (row["folder"], row["sample"])
            counts = self.samples.setdefault(
                place,
                {"group": row["group"], "reported": 0, "doubtful": 0, "withheld": 0, "why": {}},
            )
            counts[row["status"]] += 1
            if row["status"] == "withheld":
                counts["why"][row["reasons"]] = row.get("name", "")
            if "name" not in row:
                continue
            key = (row["name"], row["state"], row["unit"])
            series = self.series.setdefault(key, Series(*key))
            if row["value"] is None:
                series.withheld += 1
            elif row["relation"] != "=":
                series.limits += 1
            else:
                series.doubtful += row["status"] == "doubtful"
                several.setdefault((key, *place, row["group"]), []).append(row["value"])
                said[key, *place, row["group"]] = {c: row.get(c) for c in ("date", *self.columns)}
        for at, values in several.items():
            key, *who = at
            self.series[key].points.append(Point(*who, float(np.mean(values)), said[at]))

    @cached_property
    def numeric(self) -> list[str]:
        """Columns of the sheets with several numbers."""
        seen: dict[str, set] = {}
        for series in self.series.values():
            for point in series.points:
                for column in self.columns:
                    if (x := number(point.said.get(column))) is not None:
                        seen.setdefault(column, set()).add(x)
        return [column for column in self.columns if len(seen.get(column, ())) > 1]

    @property
    def drawn(self) -> list[Series]:
        """Series with something to draw."""
        return [s for s in self.series.values() if len(s.points) > 1]


def draw(series: Series, columns: Sequence[str], place) -> None:
    """A row of pictures of one quantity: by group, by date, against columns of the sheets.

    Parameters
    ----------
    series : Series
    columns : sequence of str
        Numeric ones of the sheets; at most `TRENDS` are drawn, the clearest.
    place : Figure or SubFigure
        Empty.
    """
    trends = series.trends(columns)[:TRENDS]
    dated = series.dated()
    wide = min(TRENDS, len(columns))
    axes = place.subplots(1, 2 + wide, squeeze=False, width_ratios=[1, 1.4, *[1] * wide])[0]
    place.suptitle(f"{series.title}: n = {len(series.points)}" + _counts(series), fontsize=7)
    for ax in axes:
        ax.margins(0.05, 0.1)  # rings and names stay whole
    for ax in axes[2 + len(trends) :]:
        ax.axis("off")
    _by_group(series, axes[0])
    axes[0].set_ylabel(series.axis)
    _by_date(dated, series.beyond, axes[1]) if dated else axes[1].axis("off")
    for ax, (column, rho, p) in zip(axes[2:], trends):
        for i, members in enumerate(series.groups.values()):
            pairs = [(x, q.value) for q in members if (x := number(q.said.get(column))) is not None]
            if pairs:
                ax.plot(*zip(*pairs), "o", ms=2, color=f"C{i}")
        ax.set_xlabel(column)
        ax.set_title(f"Spearman ρ = {rho:.2f}, p = {p:.1g}", fontsize=6)


def _counts(series: Series) -> str:
    left = {"withheld": series.withheld, "limits": series.limits, "doubtful": series.doubtful}
    return "".join(f", {count} {what}" for what, count in left.items() if count)


def _by_group(series: Series, ax) -> None:
    at = {}
    for i, members in enumerate(series.groups.values()):
        y = np.array([p.value for p in members])
        rank = np.argsort(np.argsort(y))
        x = i + 0.3 * (np.modf(rank * 0.618)[0] - 0.5) * min(
            1, len(y) / 5
        )  # spread, the same each time
        ax.plot(x, y, "o", ms=2, color=f"C{i}")
        ax.plot([i - 0.3, i + 0.3], [np.median(y)] * 2, "k-", lw=1)
        at |= {p: xi for p, xi in zip(map(id, members), x)}
    for point in series.outliers:
        _name(ax, at[id(point)], point)
    ax.set_xticks(range(len(series.groups)), [g or "–" for g in series.groups])
    ax.set_xlim(-0.6, len(series.groups) - 0.4)


def _name(ax, x: float, point: Point) -> None:
    """A ring around what is to be looked at, and its sample."""
    ax.plot(x, point.value, "o", ms=5, mfc="none", mec="k", mew=0.6)
    on_paper = {"facecolor": "w", "edgecolor": "none", "pad": 0.5}  # not struck out by a limit
    ax.annotate(point.sample, (x, point.value), (4, 0), textcoords="offset points", fontsize=5,
                va="center", bbox=on_paper)  # fmt: skip


def _by_date(dated: Mapping[str, list[Point]], beyond: Sequence[Point], ax) -> None:
    days = sorted({str(p.said["date"]) for members in dated.values() for p in members})
    for i, members in enumerate(dated.values()):
        x, y = [days.index(str(p.said["date"])) for p in members], [p.value for p in members]
        ax.plot(x, y, "o", ms=2, color=f"C{i}")
        if found := statistics.limits(y):
            ax.axhline(found[0], color=f"C{i}", lw=0.7)
            for level in found[1:]:
                ax.axhline(level, color=f"C{i}", lw=0.5, ls="--")
    for point in beyond:
        _name(ax, days.index(str(point.said["date"])), point)
    marks = range(0, len(days), max(1, len(days) // 4))
    ax.set_xticks(list(marks), [days[i] for i in marks], rotation=20, fontsize=5)
    ax.set_title("by date, limits at 3 standard deviations", fontsize=6)


def write(stem: Path, topic: str, gathered: Gathered, links: Mapping) -> list[Path]:
    """`<stem>.html` and `<stem>.pdf`; each is whole or absent.

    Parameters
    ----------
    stem : Path
        Without an ending.
    topic : str
    gathered : Gathered
        All rows passed.
    links : mapping of (folder, sample) to str
        Reports, relative to the page.

    Returns
    -------
    list of Path
        HTML, PDF.
    """
    import matplotlib as mpl

    from peled import figures

    with mpl.rc_context():
        figures.use_style()
        pictures = [_png(series, gathered.numeric) for series in gathered.drawn]
        pages = _pdf(topic, gathered)
    page = _page(topic, gathered, pictures, links)
    return [
        write_atomically(stem.with_suffix(".html"), page),
        write_atomically(stem.with_suffix(".pdf"), pages),
    ]


def _figure(width: float, height: float):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _png(series: Series, columns: Sequence[str]) -> bytes:
    from peled.lab.live import lay_out, picture

    figure = _figure(WIDTH * (2.6 + min(TRENDS, len(columns))), HEIGHT)
    draw(series, columns, figure)
    lay_out(figure)
    return picture(figure)


def _pdf(topic: str, gathered: Gathered) -> bytes:
    from matplotlib.backends.backend_pdf import PdfPages

    from peled.lab.live import lay_out

    stream = io.BytesIO()
    dates = {"CreationDate": None, "ModDate": None, "Title": f"{topic} campaign"}
    with PdfPages(stream, metadata=dates) as pdf:
        title, *lines = _summary(topic, gathered)
        for part in (lines[at : at + LINES] for at in range(0, len(lines), LINES)):
            page = _figure(*_PAGE)
            page.text(0.06, 0.965, title, size=11, va="top")
            page.text(0.06, 0.94, "\n".join(part), size=7, va="top", family="monospace")
            pdf.savefig(page)
        drawn = gathered.drawn
        for at in range(0, len(drawn), PER_PAGE):
            page = _figure(*_PAGE)
            page.get_layout_engine().set(rect=(0.04, 0.03, 0.92, 0.94))
            places = page.subfigures(PER_PAGE, 1)
            for series, place in zip(drawn[at : at + PER_PAGE], places):
                draw(series, gathered.numeric, place)
            lay_out(page)
            pdf.savefig(page)
    return stream.getvalue()


def _summary(topic: str, gathered: Gathered) -> Iterator[str]:
    yield f"{topic}: {len(gathered.samples)} samples"
    for series in gathered.series.values():
        yield f"{series.title[:48]:48s}  n = {len(series.points)}{_counts(series)}"
        yield from (
            f"{'':6s}{(group or '–')[:40]:42s}  n = {len(of)}, median "
            f"{np.median([p.value for p in of]):.4g} {shown(series.unit)}".rstrip()
            for group, of in series.groups.items()
        )
    yield ""
    yield from (f"{s.title}: {p.label} {s.said(p)}, {why}" for s, p, why in _standing_out(gathered))


def _standing_out(gathered: Gathered) -> Iterator[tuple[Series, Point, str]]:
    for series in gathered.drawn:
        said = f"outlier of its group ({statistics.FALSE_ALARM:.0%} false alarms a group)"
        yield from ((series, p, said) for p in series.outliers)
        yield from ((series, p, "beyond the limits of its control chart") for p in series.beyond)


def _page(topic: str, gathered: Gathered, pictures: Sequence[bytes], links: Mapping) -> str:
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{topic} campaign</title>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<style>{_STYLE}</style><h1>{topic}: {len(gathered.samples)} samples</h1>",
        f"<p>All numbers: <a href={topic}.csv>{topic}.csv</a>; files that gave nothing: "
        f"<a href={topic}_problems.csv>{topic}_problems.csv</a>.</p><section><h2>To be "
        "looked at</h2>",
    ]
    rows = [
        (html.escape(s.title), _linked(p.folder, p.sample, links), s.said(p), why)
        for s, p, why in _standing_out(gathered)
    ]
    parts.append(
        _table(("quantity", "sample", "value", "why"), rows) if rows else "<p>Nothing.</p>"
    )
    parts.append("</section>")
    for series, picture in zip(gathered.drawn, pictures):
        source = base64.b64encode(picture).decode()
        name = html.escape(series.title)
        parts.append(f"<section><h2>{name}</h2><img alt='{name} by group, date and column' "
                     f"src='data:image/png;base64,{source}'></section>")  # fmt: skip
    parts += ["<section><h2>Samples</h2>", _samples(gathered, links), "</section></html>"]
    return "\n".join(parts)


def _samples(gathered: Gathered, links: Mapping) -> str:
    rows = []
    for (folder, sample), counts in gathered.samples.items():
        name = _anchor(folder, sample)
        why = "; ".join(
            f"{name}: {reason}" if name else reason for reason, name in counts["why"].items()
        )
        rows.append((
            f"<span id='{name}'>{_linked(folder, sample, links, own=True)}</span>",
            html.escape(counts["group"] or ""), str(counts["reported"]), str(counts["doubtful"]),
            str(counts["withheld"]), f"<span class=bad>{html.escape(why)}</span>",
        ))  # fmt: skip
    return _table(("sample", "group", "reported", "doubtful", "withheld", "why"), rows)


def _anchor(folder: str, sample: str) -> str:
    return html.escape(f"s-{folder}-{sample}".replace(" ", "_"), quote=True)


def _linked(folder: str, sample: str, links: Mapping, *, own: bool = False) -> str:
    """The sample with a link to its report, else to its line on this page."""
    text = html.escape("/".join(filter(None, (folder, sample))) or "all")
    if target := links.get((folder, sample)):
        return f"<a href='{html.escape(target, quote=True)}'>{text}</a>"
    return text if own else f"<a href='#{_anchor(folder, sample)}'>{text}</a>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>\n" for row in cells)
    return f"<table><tr>{''.join(f'<th>{h}</th>' for h in head)}</tr>\n{body}</table>"
