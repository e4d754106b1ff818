"""The site: in order, whole, offline, small; the checker of pages finds what it should."""

import html
import json
import os
import re
import shutil

import pytest

from ledger import files, paper
from ledger.site import check, content
from toy import Toy

GOOD = '<!DOCTYPE html><html lang="en"><head><title>t</title></head><body><main id="m"><p id="a">x <a href="#a">y</a></p></main></body></html>'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<!DOCTYPE html>", "", "DOCTYPE"),
        (' lang="en"', "", "a language"),
        ("</p>", "", "closes <p>"),
        ("x <a", "<div>x</div> <a", "<div> stands in <p>"),
        ("x <a", '<a href="#m"></a></a> <a', "closes"),
        ('id="m"', 'id="a"', "used twice"),
        ("x <a", '<img src="data:,"> <a', "without alternative text"),
        ("x <a", "<input> <a", "without a label"),
        ("x <a", "<blink>x</blink> <a", "unknown element"),
        ("x <a", '<button type="button"></button> <a', "says nothing"),
        ("#a", "#b", "names no place"),
        ("#a", "other.html", "leads nowhere"),
        ("#a", "../../etc/passwd", "leads out of the site"),
        ("#a", "/absolute", "leads out of the site"),
        ("x <a", '<img alt="x" src="https://example.org/x.png"> <a', "from the network"),
        ("<p id", "<li>x</li><p id", "<li> stands in <main>"),
        (
            "</title>",
            '</title><script src="https://example.org/x.js"></script>',
            "from the network",
        ),
    ],
)
def test_faults_of_pages_are_found(tmp_path, old, new, message):
    (tmp_path / "page.html").write_text(GOOD)
    assert not check.site(tmp_path)
    (tmp_path / "page.html").write_text(GOOD.replace(old, new, 1))
    assert any(message in fault for fault in check.site(tmp_path)), check.site(tmp_path)


def test_colours_can_be_read():
    """Every badge: white on its colour with the contrast that WCAG 2.2 asks of text (4.5)."""
    css = (files.ROOT / "lib/ledger/site/templates/site.css").read_text()
    badges = re.findall(r"\.([vk]-[a-z-]+) \{ background: #([0-9a-f]{6})", css)
    assert {"v-" + word.replace(" ", "-") for word in paper.VERDICTS} | {
        "k-" + kind for kind in paper.SOURCE_KINDS
    } == {name for name, _ in badges}
    for name, colour in badges:
        assert contrast("ffffff", colour) >= 4.5, (name, contrast("ffffff", colour))
    for block in re.findall(r":root \{[^}]*\}", css)[:2]:
        shade = {
            k: v if len(v) == 6 else "".join(c * 2 for c in v)
            for k, v in re.findall(r"--(\w+): #([0-9a-f]{3,6})", block)
        }
        for text in ("fore", "soft", "link"):
            for back in ("back", "tint"):
                assert contrast(shade[text], shade[back]) >= 4.5, (text, back)


def contrast(a, b):
    """Contrast ratio of two sRGB colours (WCAG 2.2)."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        return sum(
            w * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_names_of_panels():
    assert [content.panel_letter(name) for name in ("fig2g", "ed10k", "extra_lead_flow")] == [
        "Fig. 2g",
        "Extended Data Fig. 10k",
        "lead flow",
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of a toy paper."""
    pytest.importorskip(
        "nbconvert", reason="nbconvert comes with `make lab`; `make test-browser` runs these tests"
    )
    toy = Toy(tmp_path_factory.mktemp("site") / "toy")
    toy.gather()
    notebook = json.loads((toy.root / "notebooks/01_stick.ipynb").read_text())
    notebook["cells"].insert(
        0,
        {
            "cell_type": "markdown",
            "id": "title",
            "metadata": {},
            "source": "# 01 Stick\n\nIts mass is $m = \\rho V$ <script>alert(1)</script><b onclick='alert(2)'>x</b><a href='javascript:alert(3)'>y</a>. See [the other](02_stone.ipynb), [the code](../lib/x.py).",
        },
    )
    (toy.root / "notebooks/01_stick.ipynb").write_text(json.dumps(notebook))
    toy.run()
    toy.said = toy.python("-m", "ledger.site")
    return toy


def test_the_site_of_a_toy_is_in_order(site):
    folder = site.root / "build/site"
    assert "6 claims, 6 panels, 3 notebooks" in site.said and not check.site(folder)
    index = (folder / "index.html").read_text()
    assert (
        all(f'id="C{n:03d}"' in index for n in (1, 2, 3, 101, 102, 103))
        and 'id="fig1a"' in index
        and 'alt="Fig. 1a: a stick.' in index
    )
    assert (
        files.sha256(site.root / "data/stick/a.txt")[:12] in index and "lib/toy/stick.py" in index
    )
    page = (folder / "notebooks/01_stick.html").read_text()
    assert (
        '<a href="02_stone.html">the other</a>' in page
        and "<a" not in page[page.index("the code") - 30 : page.index("the code")]
    )
    assert not any(f"alert({n})" in page for n in (1, 2, 3)), "nothing from a notebook is executed"
    listing = html.unescape(re.sub(r"<[^>]*>", "", page))
    assert "from ledger.notebook import open_room" in listing, "code keeps its blanks"
    assert 'class="formula"' in page and 'alt="m = \\rho V"' in page
    assert "No description has been provided" not in page and str(site.root) not in index + page


def test_an_unfinished_site_leaves_the_last_one(site):
    before = (site.root / "build/site/index.html").read_bytes()
    kept = (site.root / "figures/fig1a.json").read_bytes()
    (site.root / "figures/fig1a.json").unlink()
    assert "run `make figures`" in site.python("-m", "ledger.site", status=1)
    (site.root / "figures/fig1a.json").write_bytes(kept)
    (site.root / "data/stick/a.txt").write_text("2.5")
    assert "stick: stale" in site.python("-m", "ledger.site", status=1)
    (site.root / "data/stick/a.txt").write_text("2.0")
    assert (site.root / "build/site/index.html").read_bytes() == before and not list(
        (site.root / "build").glob(".site*")
    )
    shutil.rmtree(site.root / "build/site")
    site.python("-m", "ledger.site")
    assert (site.root / "build/site/index.html").read_bytes() == before, (
        "the same inputs give the same pages"
    )


def test_the_real_site_is_in_order_and_small():
    if "PELED_SITE" not in os.environ:
        pytest.skip("the site is checked by `make test-browser`, which makes it first")
    folder = files.resolve(os.environ["PELED_SITE"])
    assert not check.site(folder)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 20_000_000
    index = (folder / "index.html").read_text()
    assert all(f'<tr id="{claim_id}"' in index for claim_id in paper.claims())
    described = [
        name
        for name, panel in paper.panels().items()
        if not panel.plotted.startswith("not described")
    ]
    assert all(f'<figure id="{name}"' in index for name in described)
