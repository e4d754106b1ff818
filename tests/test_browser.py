"""In a real browser: a notebook in JupyterLab is run and its slider moved; the site is searched,
sorted and filtered.

`make test-browser` runs it. It needs Chromium and its driver (Debian, Ubuntu: `apt-get install
chromium chromium-driver`; on GitHub's Ubuntu runners both are there) and JupyterLab (`make lab`
installs it); without them it is skipped and says so.
"""

import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from browser import Browser, free_port, programs
from ledger import files

pytestmark = pytest.mark.skipif(
    programs() is None,
    reason="no browser: needs chromium and chromedriver (Debian: apt-get install chromium "
    "chromium-driver)",
)
NOTEBOOKS = files.ROOT / "notebooks"
OWN = files.ROOT.parent / "shared" / "failing" / "light" / "lab" / "A_flat"
SITE = files.ROOT / "build" / "site"
IDLE = (
    "const p = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]; return "
    "p.length > 5 && p.every(x => !/\\*/.test(x.innerText))"
)
KERNEL_IDLE = (
    "return document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'"
)
LAST_SLIDER = (
    "const s = document.querySelectorAll('.jp-OutputArea .widget-slider .noUi-handle, "
    ".jp-OutputArea .widget-slider [role=slider]'); "
)


@contextmanager
def lab(folder, notebook):
    """JupyterLab on loopback with a token, on a copy of a notebook; gives its address."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("JupyterLab is not installed: `make test-browser` installs it")
    (folder / "root").mkdir()
    shutil.copy(notebook, folder / "root")
    port, token = free_port(), secrets.token_hex(16)
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PELED_STAGE", "PELED_PUBLISHED")
    }
    environment |= {
        f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")
    } | {"IPYTHONDIR": str(folder / "ipython")}
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
            f"--ServerApp.root_dir={folder / 'root'}",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env=environment,
        stdout=(folder / "log").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(900):  # a machine under load takes its time
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}", timeout=5)
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/tree/{notebook.name}?token={token}&reset"
    finally:
        process.terminate()
        process.wait(timeout=30)


def opened(page, address):
    """Until the notebook is there and its kernel is ready."""
    page.open(address)
    cells = "return document.querySelectorAll('.jp-Notebook .jp-Cell').length > 5"
    page.wait(cells, 120, "the notebook opens")
    page.wait(KERNEL_IDLE, 120, "the kernel is ready")
    page.run("document.querySelector('.jp-Notebook .jp-Cell').click();")


def said_wrong(page):
    """Errors and warnings among the outputs, those inside widgets too."""
    kinds = '[data-mime-type="application/vnd.jupyter.stderr"], [data-mime-type*=error]'
    return page.run(
        f"return [...document.querySelectorAll('{kinds}')].map(e => e.innerText).join('')"
    )


def test_a_notebook_runs_in_jupyterlab_and_its_slider_moves_the_figure(tmp_path):
    with (
        lab(tmp_path, NOTEBOOKS / "01_synthesis.ipynb") as address,
        Browser(tmp_path / "profile") as page,
    ):
        opened(page, address)
        menu_run_all(page)
        page.wait(LAST_SLIDER + "return s.length > 0", 90, "a slider appears")
        cell = (
            "const c = [...document.querySelectorAll('.jp-Cell')]"
            ".find(c => c.querySelector('.widget-slider')); "
        )
        picture = cell + "const i = c?.querySelector('.jp-OutputArea img'); return i ? i.src : ''"
        page.run(cell + "c.scrollIntoView()")
        page.wait(IDLE, 180, "all cells have run")
        before = page.wait(picture, 60, "a picture beside the slider")
        page.run(LAST_SLIDER + "s[0].focus()")
        page.keys("\ue014" * 4)  # arrow to the right
        end = time.monotonic() + 30
        while page.run(picture) in ("", before):
            assert time.monotonic() < end, "the figure follows the slider"
            time.sleep(0.2)
        assert not said_wrong(page)


@pytest.mark.skipif(not OWN.is_dir(), reason="no folder of a laboratory here")
def test_a_sweep_of_ones_own_is_analysed_within_five_minutes(tmp_path):
    """As the page for the first five minutes says: the folder into the second cell, run all."""
    before = {path.name: path.stat().st_mtime_ns for path in OWN.iterdir()}
    with (
        lab(tmp_path, NOTEBOOKS / "lab" / "led.ipynb") as address,
        Browser(tmp_path / "profile") as page,
    ):
        began = time.monotonic()
        opened(page, address)
        editor = ".jp-CodeCell .cm-content"
        page.click(editor)
        everything = "\ue009a\ue000"
        page.type(
            editor,
            f'{everything}data_dir = "{OWN}"\nsamples = None\n'
            'results_dir = "results/led"\nquick = False',
        )
        menu_run_all(page)
        page.wait(IDLE, 280, "all cells have run")
        took = time.monotonic() - began
        said = page.run("return document.querySelector('.jp-Notebook').innerText")
        assert not said_wrong(page)
    assert took < 300
    assert all(device in said for device in ("control_d1", "treated_d2", "third_d3"))
    kept = json.loads((tmp_path / "root/results/led/led.json").read_text())
    peaks = {row["sample"]: row for row in kept["quantities"] if row["name"] == "peak EQE"}
    for device, true in {"control_d1": 12.0, "treated_d2": 17.0, "third_d3": 8.0}.items():
        found = peaks[device]
        assert abs(found["value"] - true) < 3 * found["standard_error"], device
    assert {path.name: path.stat().st_mtime_ns for path in OWN.iterdir()} == before


#: Each takes about a minute; `PELED_SLIDERS=all` goes through every numbered notebook.
WITH_SLIDERS = [
    path
    for path in sorted(NOTEBOOKS.glob("0*.ipynb"))
    if os.environ.get("PELED_SLIDERS") == "all" or path.stem in ("01_synthesis", "04_led")
]


@pytest.mark.parametrize("notebook", WITH_SLIDERS, ids=lambda p: p.stem)
def test_a_notebook_runs_and_its_sliders_go_to_both_ends(tmp_path, notebook):
    """Whatever is chosen, the answer is a number or a reason, never an error."""
    handles = "[...document.querySelectorAll('.widget-slider .noUi-handle')]"
    with lab(tmp_path, notebook) as address, Browser(tmp_path / "profile") as page:
        opened(page, address)
        menu_run_all(page)
        page.wait(IDLE, 280, "all cells have run")
        for number in range(page.run(f"return {handles}.length")):
            value = f"return {handles}[{number}].getAttribute('aria-valuenow')"
            ends = []
            for key in ("\ue011", "\ue010"):  # home, end
                page.run(f"{handles}[{number}].scrollIntoView(); {handles}[{number}].focus()")
                page.keys(key)
                time.sleep(1)
                page.wait(KERNEL_IDLE, 60, "the kernel has answered")
                ends.append(float(page.run(value)))
                assert not said_wrong(page), (number, ends)
            assert ends[0] < ends[1]


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
