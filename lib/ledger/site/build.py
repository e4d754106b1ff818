"""The pages of the site, written whole or not at all."""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import sys
from pathlib import Path

from ledger import claims, files
from ledger.claims import IncompleteResults
from ledger.site import check, sources

#: Sphinx's settings; nothing is executed and nothing loaded from the network.
SETTINGS = {
    "extensions": [
        "myst_nb",
        "sphinx.ext.autodoc",
        "numpydoc",
        "sphinx_copybutton",
        "ledger.site.extension",
    ],
    "nb_execution_mode": "off",
    "nb_merge_streams": True,
    "nb_ipywidgets_js": {},
    "nb_render_image_options": {"loading": "lazy"},
    "myst_enable_extensions": ["dollarmath", "deflist"],
    "myst_heading_anchors": 4,
    "myst_disable_syntax": ["html_block", "html_inline"],
    "suppress_warnings": ["mystnb.unknown_mime_type", "myst.header", "ref.python"],
    "default_role": "py:obj",
    "numpydoc_show_class_members": False,
    "autodoc_typehints_format": "short",
    "autodoc_member_order": "bysource",
    "maximum_signature_line_length": 80,
    "toc_object_entries_show_parents": "hide",
    "html_theme": "furo",
    "html_math_renderer": "mathml",
    "html_copy_source": False,
    "html_show_sphinx": False,
    "html_static_path": ["_static"],
    "html_extra_path": ["_extra"],
    "html_css_files": ["site.css"],
    "html_js_files": [("claims.js", {"defer": "defer"})],
}


class SiteError(RuntimeError):
    """The site cannot be made; the message says what is missing."""


def build(
    target: Path, figures_dir: Path, results_dir: Path, *, accept_missing: bool = False
) -> dict:
    """Write the site into `target` and say what is in it.

    Raises
    ------
    IncompleteResults
        If results are missing or stale.
    SiteError
        If Sphinx is not there, a figure is missing, or a page is not in order.
    """
    gathered = claims.gather(results_dir, accept_missing=accept_missing)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        try:
            said = sources.write(beside / "source", figures_dir, gathered)
        except (OSError, ValueError, KeyError) as error:
            raise SiteError(
                f"{files.display_path(figures_dir)}: {error}; run `make figures`"
            ) from None
        _sphinx(beside, said.pop("settings"))
        if found := check.site(beside / "pages"):
            raise SiteError("the pages are not in order: " + "; ".join(found[:5]))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(beside / "pages", target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return {**said, "bytes": size}


def _sphinx(beside: Path, settings: dict) -> None:
    try:
        import furo
        import myst_nb
        import numpydoc
        import sphinx_copybutton
        from sphinx.application import Sphinx
    except ImportError as error:
        raise SiteError(
            f"pages are made by Sphinx; {error.name} is not installed; `make site` installs it"
        ) from None
    del furo, myst_nb, numpydoc, sphinx_copybutton
    said = io.StringIO()
    app = Sphinx(
        beside / "source",
        None,
        beside / "pages",
        beside / "doctrees",
        "html",
        confoverrides=SETTINGS | settings,
        status=None,
        warning=said,
        freshenv=True,
    )
    app.build()
    plain = re.sub(r"\x1b\[[\d;]*m", "", said.getvalue())
    if faults := plain.replace(f"{beside}{os.sep}", "").splitlines():
        raise SiteError(f"{len(faults)} warnings of Sphinx: " + "; ".join(faults[:5]))
    for name in (".doctrees", ".buildinfo"):
        (beside / "pages" / name).unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when the site is written, 1 when it cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m ledger.site",
        description="Write a static site of all claims, panels, notebooks, data and the API.",
    )
    parser.add_argument(
        "--output", default="build/site", help="the folder to write (default: build/site)"
    )
    parser.add_argument(
        "--figures", default="figures", help="the folder of figures (default: figures)"
    )
    parser.add_argument(
        "--accept-missing", action="store_true", help="go on when a topic has no results"
    )
    options = parser.parse_args(arguments)
    figures_dir, target = files.resolve(options.figures), files.resolve(options.output)
    try:
        said = build(
            target, figures_dir, figures_dir / "results", accept_missing=options.accept_missing
        )
    except (IncompleteResults, SiteError, OSError) as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    print(
        f"{files.display_path(target)}/index.html: {said['claims']} claims, "
        f"{said['panels']} panels, {said['notebooks']} notebooks, {said['bytes'] / 1e6:.1f} MB"
    )
    return 0
