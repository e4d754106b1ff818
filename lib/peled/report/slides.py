"""A report as slides (PowerPoint): one for each sample with all its pictures, its numbers in the
notes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from peled import figures

from .pdf import chapters, draw

if TYPE_CHECKING:
    from .report import Report

SIZE = (13.33, 7.5)  # inch, 16:9
PICTURE = (12.4, 6.2)
DPI = 200


def slides(report: Report) -> bytes:
    """A report as PowerPoint, a slide a sample.

    Parameters
    ----------
    report : Report

    Returns
    -------
    bytes
        Of a .pptx.

    Raises
    ------
    ImportError
        If python-pptx is not installed.
    """
    try:
        from pptx import Presentation
        from pptx.util import Inches, Pt
    except ImportError:
        raise ImportError(
            "slides: expected the package python-pptx, found none; install it (pip install "
            "python-pptx) or use the PDF"
        ) from None
    deck = Presentation()
    deck.slide_width, deck.slide_height = (Inches(x) for x in SIZE)
    for title, panels, text in chapters(report):
        slide = deck.slides.add_slide(deck.slide_layouts[6])  # blank
        head = slide.shapes.add_textbox(Inches(0.4), Inches(0.2), Inches(12.5), Inches(0.6))
        head.text_frame.text = title
        head.text_frame.paragraphs[0].font.size = Pt(24)
        if panels:
            picture = io.BytesIO(_picture(panels))
            slide.shapes.add_picture(picture, Inches(0.45), Inches(1.0), Inches(PICTURE[0]))
        slide.notes_slide.notes_text_frame.text = text
    stream = io.BytesIO()
    deck.save(stream)
    return stream.getvalue()


def _picture(panels) -> bytes:
    """All panels of a sample side by side as PNG."""
    across = min(max(len(panels), 2), 3 if len(panels) < 7 else 4)
    down = -(-len(panels) // across)
    with mpl.rc_context():
        figures.use_style()
        figure = Figure(figsize=(2.7 * across, 2.7 * across / PICTURE[0] * PICTURE[1]))
        figure.set_layout_engine("constrained")
        places = figure.subfigures(down, across, squeeze=False).ravel()
        for panel, place in zip(panels, places):
            draw(panel, place)
        stream = io.BytesIO()
        figure.set_dpi(DPI)
        FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()
