"""Rows of a table as text in columns and as HTML."""

from __future__ import annotations

import html
import textwrap

NOTHING = "(nothing)"  #: where no row holds a word


def as_text(rows: list[tuple[str, ...]], width: int | None = None) -> str:
    """Head and rows in columns; empty columns are left out, long cells wrap.

    Parameters
    ----------
    rows : list of tuple of str
        The first is the head.
    width : int, optional
        Of the page in characters: the widest columns give way.

    Returns
    -------
    str
        "(nothing)" where no row holds a word.
    """
    used = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]
    if not used:
        return NOTHING
    rows = [tuple(row[i] for i in used) for row in rows]
    widths = [min(max(len(row[i]) for row in rows), 44) for i in range(len(used))]
    while width and sum(widths) + 2 * (len(widths) - 1) > width:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        cells = [textwrap.wrap(c, w) or [""] for c, w in zip(row, widths)]
        for k in range(max(map(len, cells))):
            line = "  ".join((c[k] if k < len(c) else "").ljust(w) for c, w in zip(cells, widths))
            lines.append(line.rstrip())
    return "\n".join(lines)


def as_html(rows: list[tuple[str, ...]]) -> str:
    """Head and rows as a table; withheld rows are grey, doubtful ones italic.

    Parameters
    ----------
    rows : list of tuple of str
        The first is the head; columns that are empty below it are left out.

    Returns
    -------
    str
        A `<table>` element.
    """
    used = [i for i in range(len(rows[0])) if any(row[i] for row in rows[1:])]

    def line(row: tuple[str, ...], tag: str) -> str:
        style = ""
        if any(c.startswith("withheld") for c in row):
            style = ' style="color:#777"'
        elif any("doubtful:" in c for c in row):
            style = ' style="font-style:italic"'
        cells = "".join(f"<{tag}>{html.escape(row[i])}</{tag}>" for i in used)
        return f"<tr{style}>{cells}</tr>"

    return f"<table>{line(rows[0], 'th')}{''.join(line(r, 'td') for r in rows[1:])}</table>"
