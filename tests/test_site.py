"""The site: in order, whole, offline, small; the checker of pages finds what it should."""

import html
import json
import os
import re
import shutil
from pathlib import PurePosixPath

import pytest

from ledger import files, paper
from ledger.site import check, content
from toy import Toy

GOOD = (
    '<!DOCTYPE html><html lang="en"><head><title>t</title></head><body><main id="m"><p '
    'id="a">x <a href="#a">y</a></p></main></body></html>'
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<!DOCTYPE html>", "", "DOCTYPE"),
        (' lang="en"', "", "no language"),
        ("<title>t</title>", "", "has no <title>"),
        ("</p>", "", "closes <p>"),
        ("</html>", "", "never closed"),
        ("x <a", '<a href="#m"></a></a> <a', "closes"),
        ("y</a>", '<a href="#m">z</a></a>', "another link"),
        ('id="m"', 'id="a"', "used twice"),
        ("x <a", '<img src="data:,"> <a', "without alternative text"),
        ("x <a", "<input> <a", "without a label"),
        ("x <a", '<span class="problematic">|x|</span> <a', "not be understood"),
        ("#a", "#b", "names no place"),
        ("#a", "other.html", "leads nowhere"),
        ("#a", "../../etc/passwd", "leads out of the site"),
        ("#a", "/absolute", "leads out of the site"),
        ("x <a", '<img alt="x" src="https://example.org/x.png"> <a', "from the network"),
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
    assert re.search(r"\.tile \{ background: #5f6368", css), "as dark as a badge"


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
    pytest.importorskip("furo", reason="comes with `make site`; `make test-browser` runs this")
    toy = Toy(tmp_path_factory.mktemp("site") / "toy")
    toy.gather()
    notebook = json.loads((toy.root / "notebooks/01_stick.ipynb").read_text())
    notebook["cells"].insert(
        0,
        {
            "cell_type": "markdown",
            "id": "title",
            "metadata": {},
            "source": "# 01 Stick\n\nIts mass is $m = \\rho V$ <script>alert(1)</script><b "
            "onclick='alert(2)'>x</b>."
            " See [the other](02_stone.ipynb), [the code](../lib/toy/stick.py), [the "
            "panel](#fig1b),"
            " [the claim](#C101) and [the end](#The-end,-(again)).\n\n## The end, (again)\n",
        },
    )
    bad = (
        "<b onclick='alert(4)'>bold</b><script>alert(5)</script><a href='javascript:alert(6)'>z</a>"
    )
    notebook["cells"][3]["source"] += f"\nfrom IPython.display import HTML\nHTML({bad!r})"
    (toy.root / "notebooks/01_stick.ipynb").write_text(json.dumps(notebook))
    toy.run()
    toy.said = toy.python("-m", "ledger.site")
    return toy


def test_the_site_of_a_toy_is_in_order(site):
    folder = site.root / "build/site"
    assert "6 claims, 6 panels, 3 notebooks" in site.said and not check.site(folder)
    board = (folder / "claims.html").read_text()
    topic = (folder / "topics/stick.html").read_text()
    assert all(f'<tr id="C{n:03d}"' in board for n in (1, 2, 3, 101, 102, 103))
    assert all(f'id="C{n:03d}"' in topic for n in (1, 2, 3)) and 'id="C101"' not in topic
    assert 'id="fig1a"' in topic and 'alt="Fig. 1a: a stick.' in topic
    assert files.sha256(site.root / "data/stick/a.txt")[:12] in topic
    assert "lib/toy/stick.py" in topic and "Its mass is" in topic, "the finding of the notebook"
    assert 'og:description" content="Its mass is' in topic


def test_a_notebook_is_shown_as_it_is_and_executes_nothing(site):
    folder = site.root / "build/site"
    page = (folder / "notebooks/01_stick.html").read_text()
    links = dict(
        re.findall(r'<a class="[^"]*" href="([^"]*)"[^>]*>(?:<span[^>]*>)?(the [^<]*)<', page)
    )
    assert links == {
        "02_stone.html": "the other",
        "../topics/stone.html#fig1b": "the panel",
        "../topics/stone.html#C101": "the claim",
        "#the-end-again": "the end",
    }
    assert "the code" in page, "what the site does not hold stays as text"
    # What a quoted attribute says is text: the description holds the markup as it is shown.
    tags = re.sub(r'content="[^"]*"', "", page)
    assert "<b>bold</b>" in page and not re.search(
        r"<script>alert|<[^>]*(onclick|javascript:)", tags
    )
    listing = html.unescape(re.sub(r"<[^>]*>", "", page))
    assert "from ledger.notebook import open_room" in listing, "code keeps its blanks"
    assert "<math" in page and "<mi>&#x003C1;</mi>" in page
    assert 'alt="Fig. 1a: a stick.' in page and str(site.root) not in page
    kept = json.loads((folder / "notebooks/01_stick.ipynb").read_text())
    own = json.loads((site.root / "notebooks/01_stick.ipynb").read_text())
    both = [["".join(c["source"]) for c in one["cells"]] for one in (kept, own)]
    assert both[0] == both[1]


def test_the_search_finds_claims_and_panels(site):
    index = (site.root / "build/site/searchindex.js").read_text()
    entries = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["indexentries"]
    assert entries["c101"][0][1] == "C101" and entries["fig. 1a"][0][1] == "fig1a"


@pytest.mark.parametrize(
    ("link", "turned"),
    [
        ("[x](gates.md#The-gates)", "[x](gates.md#the-gates)"),
        ("[x](../notebooks/08_claims.ipynb)", "[x](../notebooks/08_claims.ipynb)"),
        ("[x](https://doi.org/10.1/a#B)", "[x](https://doi.org/10.1/a#B)"),
        ("[x](#fig3d)", "[x](#fig3d)"),
        ("[x](#Which-file)", "[x](#which-file)"),
        ("see [the code](../lib/peled/files.py) there", "see the code there"),
        ("![drawn](overview.png)", "![drawn](overview.png)"),
    ],
)
def test_links_between_files_become_links_between_pages(tmp_path, link, turned):
    pytest.importorskip("jinja2", reason="comes with `make site`")
    from ledger.site import sources

    here = PurePosixPath("docs/samples.md")
    source = sources.Source(tmp_path, {})
    assert source.links(link, here) == turned
    hosted = sources.Source(tmp_path, {"repository-code": "https://github.com/a/b"})
    assert hosted.links("[x](../LICENSE)", here) == "[x](https://github.com/a/b/blob/HEAD/LICENSE)"
    assert source.links("[x](#y)", here, PurePosixPath("topics/led")) == "[x](../docs/samples.md#y)"
    with pytest.raises(ValueError, match=r"docs/samples.md: a link leads to gone.md, which is not"):
        source.links("[x](gone.md)", here)


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
    once = digests(site.root / "build/site")
    shutil.rmtree(site.root / "build/site")
    site.python("-m", "ledger.site")
    assert digests(site.root / "build/site") == once, "the same inputs give the same bytes"


def digests(folder):
    """Of every file, by its place."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): files.sha256(path) for path in found}


def test_the_real_site_is_in_order_and_small():
    if "PELED_SITE" not in os.environ:
        pytest.skip("the site is checked by `make test-browser`, which makes it first")
    folder = files.resolve(os.environ["PELED_SITE"])
    assert not check.site(folder)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 30_000_000
    board = (folder / "claims.html").read_text()
    assert all(f'<tr id="{claim_id}"' in board for claim_id in paper.claims())
    topics = "".join(path.read_text() for path in folder.glob("topics/*.html"))
    described = [
        name
        for name, panel in paper.panels().items()
        if not panel.plotted.startswith("not described")
    ]
    assert all(f'<figure id="{name}"' in topics for name in described)
    assert (folder / "api/peled.led.html").is_file() and (folder / "docs/samples.html").is_file()
    for path in sorted(files.ROOT.glob("notebooks/**/*.ipynb")):
        shown = (folder / path.relative_to(files.ROOT)).with_suffix(".html").read_text()
        listing = html.unescape(re.sub(r"<[^>]*>", "", shown))
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                assert "".join(cell["source"]).strip() in listing, f"{path.name}: {cell['id']}"
