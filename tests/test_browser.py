"""In a real browser: a notebook in JupyterLab is run and its slider moved; the site is searched, sorted and filtered.

`make test-browser` runs it. It needs Chromium and its driver (Debian, Ubuntu: `apt-get install chromium chromium-driver`; on GitHub's
Ubuntu runners both are there) and JupyterLab (`make lab` installs it); without them it is skipped and says so.
"""

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest

from browser import Browser, free_port, programs
from ledger import files

pytestmark = pytest.mark.skipif(
    programs() is None,
    reason="no browser: needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)",
)
NOTEBOOK = "01_synthesis.ipynb"
SITE = files.ROOT / "build" / "site"
IDLE = "const p = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]; return p.length > 5 && p.every(x => !/\\*/.test(x.innerText))"
LAST_SLIDER = "const s = document.querySelectorAll('.jp-OutputArea .widget-slider .noUi-handle, .jp-OutputArea .widget-slider [role=slider]'); "


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on loopback with a token, on a copy of the notebook; yields its address."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("JupyterLab is not installed: `make test-browser` installs it")
    (tmp_path / "root").mkdir()
    shutil.copy(files.ROOT / "notebooks" / NOTEBOOK, tmp_path / "root")
    port, token = free_port(), secrets.token_hex(16)
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PELED_STAGE", "PELED_PUBLISHED")
    }
    environment |= {
        f"JUPYTER_{name}_DIR": str(tmp_path / name.lower())
        for name in ("CONFIG", "DATA", "RUNTIME")
    } | {"IPYTHONDIR": str(tmp_path / "ipython")}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={tmp_path / 'root'}",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env=environment,
        stdout=(tmp_path / "log").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5)
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK}?token={token}&reset"
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_a_notebook_runs_in_jupyterlab_and_its_slider_moves_the_figure(lab, tmp_path):
    with Browser(tmp_path / "profile") as page:
        page.open(lab)
        page.wait(
            "return document.querySelectorAll('.jp-Notebook .jp-Cell').length > 5",
            120,
            "the notebook opens",
        )
        page.wait(
            "return document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'",
            120,
            "the kernel is ready",
        )
        page.run("document.querySelector('.jp-Notebook .jp-Cell').click();")
        menu_run_all(page)
        try:
            page.wait(LAST_SLIDER + "return s.length > 0", 90, "a slider appears")
        finally:
            if folder := os.environ.get("PELED_SCREENSHOTS"):
                page.screenshot(files.resolve(folder) / "lab.png")
        picture = "const c = [...document.querySelectorAll('.jp-Cell')].find(c => c.querySelector('.widget-slider')); const i = c && c.querySelector('.jupyter-widgets img, .widget-output img, .jp-OutputArea img'); return i ? i.src : ''"
        page.run(
            "[...document.querySelectorAll('.jp-Cell')].find(c => c.querySelector('.widget-slider')).scrollIntoView()"
        )
        page.wait(IDLE, 180, "all cells have run")
        before = page.wait(picture, 60, "a picture beside the slider")
        page.run(LAST_SLIDER + "s[0].focus()")
        page.keys("\ue014" * 4)  # arrow to the right
        end = time.monotonic() + 30
        while (after := page.run(picture)) in ("", before):
            assert time.monotonic() < end, "the figure follows the slider"
            time.sleep(0.2)
        assert after != before
        assert not page.run(
            "return [...document.querySelectorAll('.jp-OutputArea-output[data-mime-type=\"application/vnd.jupyter.stderr\"], .jp-RenderedText[data-mime-type*=error]')].map(e => e.innerText).join('')"
        )


def menu_run_all(page):
    """Run > Run All Cells, as a person does it."""
    for _ in range(20):  # until nothing lies over the menu any more
        try:
            page.click("//*[contains(@class,'lm-MenuBar-item')][normalize-space(.)='Run']")
            page.click("//*[contains(@class,'lm-Menu-item')][@data-command='runmenu:run-all']")
            return
        except RuntimeError as error:
            last = error
            page.keys("\ue00c")  # escape
            time.sleep(0.5)
    raise last


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_site_is_searched_sorted_and_filtered_offline(tmp_path, width, dark):
    if "PELED_SITE" not in os.environ:
        pytest.skip("no fresh site here: `make test-browser` makes it first")
    rows = "return [...document.querySelectorAll('#board tbody tr')]"
    visible = rows + ".filter(r => !r.hidden)"
    with Browser(tmp_path / "profile", width=width, dark=dark) as page:
        page.open((SITE / "index.html").as_uri())
        assert page.run("return matchMedia('(prefers-color-scheme: dark)').matches") == dark
        page.click("//a[@data-answer='decided: does not hold']")  # a tile leads to its claims
        page.wait(visible + ".length > 0", 20, "the claims are there")
        shown = page.run(visible + ".map(r => r.dataset.answer)")
        total = page.run(rows + ".length")
        assert 0 < len(shown) < total and set(shown) == {"decided: does not hold"}
        counted = page.run("return document.getElementById('count').textContent")
        assert counted == f"{len(shown)} of {total} claims"
        page.click("#filters button[type=reset]")
        page.wait(visible + f".length === {total}", 5, "the filter is cleared")

        page.type("#search", "c028")
        assert "C028" in page.run(visible + ".map(r => r.id)")
        page.type("#search", " nosuchword")
        assert page.run(visible + ".length") == 0
        assert not page.run("return document.getElementById('none').hidden")
        page.click("#clear")
        page.wait(visible + f".length === {total}", 5, "all are shown")

        if width > 700:
            for order in ("ascending", "descending"):
                page.click("th[data-key=id] button")
                ids = page.run(visible + ".map(r => r.id)")
                assert ids == sorted(ids, reverse=order == "descending")
                head = "return document.querySelector('th[data-key={}]').getAttribute('aria-sort')"
                assert page.run(head.format("id")) == order
            page.run("document.querySelector('th[data-key=verdict] button').focus()")
            page.keys("\ue007")
            assert page.run(head.format("verdict")) == "ascending", "by keyboard"

        assert not [message for message in page.console() if "favicon" not in message]
        page.open((SITE / "search.html").as_uri() + "?q=C028")
        link = "return document.querySelector('#search-results a[href*=\"#C028\"]')?.href"
        found = page.wait(link, 30, "the search finds a claim")
        page.console()  # from disk the browser refuses the search its excerpts; a server gives them
        page.open(found)
        folded = "return document.querySelector('.claim:target details')?.open"
        page.wait(folded, 20, "a link to a claim opens what was found on it")
        panel = page.run("return document.querySelector('figure.card').id")
        page.open(page.run("return location.href").split("#")[0] + f"#{panel}")
        picture = f"const i = document.querySelector('#{panel} img'); i.scrollIntoView();"
        page.wait(picture + "return i.complete && i.naturalWidth > 0", 20, "the picture is there")
        assert not [message for message in page.console() if "favicon" not in message]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_sticks_out_sideways(tmp_path, width):
    if "PELED_SITE" not in os.environ:
        pytest.skip("no fresh site here: `make test-browser` makes it first")
    wide = []
    with Browser(tmp_path / "profile", width=width) as page:
        for path in sorted(SITE.rglob("*.html")):
            page.open(path.as_uri())
            if page.run("return document.documentElement.scrollWidth > window.innerWidth"):
                wide.append(path.relative_to(SITE).as_posix())
    assert not wide
