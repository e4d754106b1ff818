"""Pictures of structures: bonds across cells, contacts and their lengths, the turning picture, the
waterfall.
"""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from browser import Browser, programs
from peled.energetics import bonding, draw, view3d
from peled.energetics.waterfall import KINDS, MEMBERS, running, waterfall
from peled.formats.atomistic import Structure
from slabs import CELL, A, adduct, sheet

# ---- pictures ------------------------------------------------------------------------------------


def bound_pairs(structure):
    return [
        (b.i, b.j, round(b.distance_angstrom, 6))
        for b in bonding.links(structure.symbols, structure.positions, structure.cell)
    ]


def drawn(structure, **options):
    ax = Figure(figsize=(3.5, 2.6)).subplots()
    return ax, draw.structure(ax, structure, **options)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6))
def test_moving_and_wrapping_atoms_changes_neither_bonds_nor_lengths_nor_the_picture(root, seed):
    rng, before = np.random.default_rng(seed), adduct(root)
    fractions = (before.positions + rng.uniform(-30, 30, 3)) @ np.linalg.inv(CELL)
    wrapped = (fractions - np.floor(fractions) + rng.integers(-2, 3, (len(before), 3))) @ CELL
    after = Structure(before.symbols, wrapped, CELL)
    assert bound_pairs(after) == bound_pairs(before)
    lengths = [
        sorted(f"{c.distance_angstrom:.6f}" for c in bonding.contacts(s)) for s in (before, after)
    ]
    assert lengths[0] == lengths[1] and lengths[0]
    shift = bonding.arranged(after).positions - bonding.arranged(before).positions
    assert np.allclose(shift, shift[0], atol=1e-6)


def test_molecules_are_whole_and_above_the_surface_after_arranging(root):
    before = adduct(root)
    torn = Structure(
        before.symbols, (before.positions + [6.0, -3.0, 17.0]) % [2 * A, 2 * A, 30.0], CELL
    )
    shown = bonding.arranged(torn)
    light = bonding.molecules(shown) >= 0
    inside = [
        b for b in bonding.links(shown.symbols, shown.positions, CELL) if light[b.i] and light[b.j]
    ]
    assert len(inside) == len(before.symbols) - 24 - 1 and not any(
        any(b.shift) for b in inside
    )  # an open chain: one bond less than atoms
    assert shown.positions[light, 2].min() > shown.positions[~light, 2].max()
    assert np.allclose(
        shown.positions[light].mean(axis=0)[:2], [A, A], atol=2.5
    )  # in the middle of the cell


def test_no_stick_crosses_the_cell_and_none_is_lost(root):
    shown = adduct(root)
    ax, _ = drawn(shown, tilt_deg=90)
    (sticks,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    four = [p.vertices for p in sticks.get_paths() if len(p.vertices) == 5]
    assert max(np.ptp(v, axis=0).max() for v in four) < 2.0
    marked = {(c.i, c.j) for c in bonding.contacts(shown)}
    flat = draw.project(shown.positions, tilt_deg=90, turn_deg=0)
    bound = [
        b for b in bonding.links(shown.symbols, shown.positions, CELL) if (b.i, b.j) not in marked
    ]
    upright = sum(
        not any(b.shift) and np.linalg.norm(flat[b.i, :2] - flat[b.j, :2]) < 1e-6 for b in bound
    )
    assert len(four) == 2 * (len(bound) - upright)
    assert sum(any(b.shift) for b in bound) == 7  # the sheet goes on through both pairs of faces


def overlap(a, b):
    return (
        abs(a.x - b.x) < (a.width + b.width) / 2 - 1e-9
        and abs(a.y - b.y) < (a.height + b.height) / 2 - 1e-9
    )


def test_written_lengths_are_the_distances_and_do_not_overlap():
    oxygen = [
        [2.4 * np.cos(t), 2.4 * np.sin(t), 0.05 * k]
        for k, t in enumerate(np.linspace(0, 2 * np.pi, 9)[:-1])
    ]
    crowd = Structure(("Pb", *"O" * 8, "O"), np.array([[0.0, 0, 0], *oxygen, [0.3, 0.3, 2.75]]))
    ax, found = drawn(crowd, tilt_deg=80, fontsize=9)
    at = crowd.positions
    assert sorted(x.text for x in found.labels) == sorted(
        f"{np.linalg.norm(at[k] - at[0]):.2f}" for k in range(1, 10)
    )
    assert not any(overlap(a, b) for k, a in enumerate(found.labels) for b in found.labels[k + 1 :])
    written = [t for t in ax.texts if t.get_gid() == "length"]
    assert [t.get_text() for t in written] == [x.text for x in found.labels]
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    boxes = [t.get_window_extent(renderer) for t in written]
    assert not any(
        a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :]
    )  # as they come out on the page


@pytest.mark.parametrize(
    ("donor", "near", "far"), [("O", 3.05, 3.15), ("N", 3.05, 3.15), ("S", 3.35, 3.45)]
)
def test_contacts_end_at_their_limits(donor, near, far):
    for distance, count in ((near, 1), (far, 0)):
        s = Structure(
            ("Pb", donor, "C"), np.array([[0.0, 0, 0], [0, 0, distance], [0, 0, distance + 1.45]])
        )
        assert [c.kind for c in bonding.contacts(s)] == ["metal"] * count


def test_hydrogen_bonds_of_a_dimer_and_none_to_iodide():
    water = np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    dimer = Structure(("O", "H", "H") * 2, np.vstack([water, water + [2.9, 0, 0]]))
    (only,) = bonding.contacts(dimer)
    assert (only.i, only.j, only.kind) == (
        1,
        3,
        "hydrogen",
    ) and only.distance_angstrom == pytest.approx(1.94)
    boxed = Structure(
        dimer.symbols, np.vstack([water, water - [7.1, 0, 0]]), np.diag([10.0, 10, 10])
    )
    (through,) = bonding.contacts(boxed)  # the same bond, through a face
    assert through.distance_angstrom == pytest.approx(1.94) and any(through.shift)
    salt = Structure(
        ("I", "H", "O", "C"), np.array([[0.0, 0, 0], [0, 0, 2.6], [0, 0, 3.57], [0, 1.3, 4.0]])
    )
    assert not bonding.contacts(salt)  # one to a halide is not drawn


@pytest.mark.parametrize(("angle_deg", "count"), [(180, 1), (130, 1), (110, 0), (90, 0)])
def test_a_hydrogen_bond_is_straight_enough(angle_deg, count):
    """Donor O-H with an acceptor 2.2 angstrom from the hydrogen, at an angle."""
    turn = np.deg2rad(180 - angle_deg)
    at = np.array(
        [
            [0.0, 0, 0],
            [0.97, 0, 0],
            [0.97 + 2.2 * np.cos(turn), 2.2 * np.sin(turn), 0],
            [0.97 + 3.63 * np.cos(turn), 3.63 * np.sin(turn), 0],
            [-1.43, 0, 0],
        ]
    )
    symbols = ("O", "H", "O", "C", "C")
    assert len(bonding.contacts(Structure(symbols, at))) == count


def test_clearest_view_looks_at_a_flat_molecule_from_its_face():
    ring = np.array([[1.4 * np.cos(t), 0.0, 1.4 * np.sin(t)] for t in np.arange(6) * np.pi / 3])
    for turn in (0.0, 50.0):
        c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        benzene = Structure(("C",) * 6, ring @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))
        tilt_deg, turn_deg = draw.clearest(benzene)
        view = draw.project(benzene.positions, tilt_deg=tilt_deg, turn_deg=turn_deg)
        assert np.ptp(view[:, 2]) < 0.3  # nothing in depth


def test_two_views_have_one_scale(root):
    axes = Figure(figsize=(7, 3)).subplots(1, 2)
    side, top = draw.two_views(axes, adduct(root))
    spans = [(np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())) for ax in axes]
    assert spans[0] == pytest.approx(spans[1])
    assert np.allclose(side.view[:, 0], top.view[:, 0]) and np.allclose(
        top.view[:, 1], top.structure.positions[:, 1]
    )
    bars = [line for line in axes[0].lines if line.get_color() == "black"]
    assert np.ptp(bars[0].get_xdata()) == pytest.approx(2.0)
    words = [
        t.get_text()
        for t in draw.legend(
            axes[0], side.structure.symbols, [c.kind for c in side.contacts]
        ).get_texts()
    ]
    assert words[:7] == ["H", "C", "N", "O", "S", "I", "Pb"] and "Pb" in words[7]


# ---- the turning picture -------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def test_turning_picture_is_one_piece_small_and_the_same_each_time(root):
    one, two = (view3d.view(adduct(root), "GL on PbI2") for _ in range(2))
    assert one.html == two.html and one._repr_mimebundle_()["text/html"] == one.html
    assert len(one.html.encode()) < 25_000
    outer = Tags(one.html)
    (frame,), (picture,) = outer.of("iframe"), outer.of("img")
    assert (
        not outer.open and frame["sandbox"] == "allow-scripts" and picture["alt"] == one.description
    )
    inner = Tags(frame["srcdoc"])
    assert (
        not inner.open
        and inner.of("canvas")[0]["tabindex"] == "0"
        and one.description in inner.of("canvas")[0]["aria-label"]
    )
    assert set(re.findall(r"https?:[^'\"\s>]*", one.html)) <= {
        "http://www.w3.org/2000/svg"
    }  # the name of SVG, fetched by nobody
    for word in ("import(", "fetch(", "XMLHttp", "<link", 'src="http'):
        assert word not in one.html


def test_turning_picture_holds_the_atoms_and_lengths_of_the_structure(root):
    found = view3d.view(adduct(root))
    data = json.loads(re.search(r"const D=(\{.*?\});\n", found.page)[1].replace("'", '"'))
    at = np.array(data["p"]).reshape(-1, 3) / 100
    ours = found.structure.positions
    assert np.allclose(at - at[0], ours - ours[0], atol=0.011)
    assert tuple(data["e"][k][0] for k in data["s"]) == found.structure.symbols
    for (i, x, y, z, _, text), c in zip(data["c"], bonding.contacts(found.structure), strict=True):
        assert (
            i == c.i
            and text == f"{c.distance_angstrom:.2f}"
            and np.linalg.norm([x, y, z]) / 100 == pytest.approx(c.distance_angstrom, abs=0.02)
        )
    sticks = len(data["b"]) // 2 + len(data["h"]) // 8
    assert sticks == len(bonding.links(ours_symbols := found.structure.symbols, ours, CELL)) - sum(
        1 for c in found.contacts if within(c, ours_symbols)
    )


def within(contact, symbols):
    """Whether a contact is short enough to be a bond as well (and then is not drawn as a stick)."""
    radius = bonding.COVALENT
    return contact.distance_angstrom < 1.2 * (
        radius[symbols[contact.i]] + radius[symbols[contact.j]]
    )


def test_still_picture_is_an_svg_and_stays_when_the_frame_is_taken_out(root):
    from urllib.parse import unquote

    found = view3d.view(adduct(root), 'a "title" <b>&')
    drawing = ElementTree.fromstring(found.svg)
    assert drawing.tag.endswith("svg") and all(
        t in found.svg for t in (f"{c.distance_angstrom:.2f}" for c in found.contacts)
    )
    source = Tags(found.html).of("img")[0]["src"]
    assert unquote(source.removeprefix("data:image/svg+xml,")) == found.svg
    assert "<b>" not in found.html.replace(found.svg, "") and "&lt;b&gt;" in found.html


def test_cropped_picture_keeps_the_numbers_that_atoms_have_in_the_file(root):
    (s, p), shown = sheet(), adduct(root)
    deeper = Structure(s + shown.symbols, np.vstack([p - [0, 0, 6.3], shown.positions]), CELL)
    found = view3d.view(deeper, depth_angstrom=3.0)
    assert list(found.structure.info["kept"]) == list(
        range(len(s), len(deeper))
    ) and '"k":[24,' in found.page.replace("'", '"')


@pytest.mark.skipif(programs() is None, reason="no browser: needs chromium and chromedriver")
def test_in_a_browser_it_turns_by_keys_and_mouse_and_names_its_atoms(root, tmp_path):
    found = view3d.view(adduct(root))
    (tmp_path / "page.html").write_text(found.page, encoding="utf-8")
    (tmp_path / "outer.html").write_text(
        f"<!DOCTYPE html><meta charset='utf-8'>{found.html}", encoding="utf-8"
    )
    picture, said = "return c.toDataURL()", "return o.textContent"
    press = "c.dispatchEvent(new KeyboardEvent('keydown',{key:arguments[0]}));" + picture
    move = (
        "c.dispatchEvent(new "
        "PointerEvent('pointermove',{clientX:arguments[0],clientY:arguments[1]}));" + said
    )
    with Browser(tmp_path / "profile") as page:
        page.open((tmp_path / "page.html").as_uri())
        first = page.run(picture)
        turned = page.run(press, "ArrowLeft")
        assert (
            turned != first
            and page.run(press, "ArrowRight") != turned
            and page.run(press, "+") != turned
        )
        assert page.run(press, "Home") == first
        pixels, *middle = found.scale
        top = int(np.argmax(found.structure.positions[:, 2]))
        x, y, _ = (
            draw.project((found.structure.positions[top] - middle)[None], tilt_deg=8, turn_deg=0)[0]
            * pixels
        )
        assert f"{found.structure.symbols[top]}, atom {top} " in page.run(
            move, 240 + float(x), 181 - float(y)
        )
        assert "turns" in page.run(move, 3.0, 3.0)
        page.open((tmp_path / "outer.html").as_uri())
        assert (
            page.run("const i=document.querySelector('img');return i.complete&&i.naturalWidth")
            == 480
        )
        assert not page.console()


# ---- waterfall -----------------------------------------------------------------------------------

STEPS = [
    ("GL", -1.85, 0.1, "member"),
    ("EDTA", -1.60, None, "member"),
    ("GL\u2013EDTA", -1.00, 0.2, "between"),
]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
def test_bars_join_and_end_at_the_total(values):
    bars = running([("s", v, None, "other") for v in values])
    assert all(a.end_eV == b.start_eV for a, b in pairwise(bars[:-1]))
    assert (bars[-1].start_eV, bars[-1].end_eV) == (0.0, bars[-2].end_eV)
    assert bars[-1].end_eV == pytest.approx(sum(values))


def test_waterfall_prints_its_values_and_marks_errors_that_are_known():
    ax = Figure().subplots()
    waterfall(ax, {"paper": STEPS, "PBE-D3": STEPS}, total="E+G")
    printed = [t.get_text().replace("\u2212", "-") for t in ax.texts]
    assert [p for p in printed if p.startswith(("+", "-"))] == [
        "-1.85\n± 0.10", "-1.60", "-1.00\n± 0.20", "-4.45",
        "-1.85\n± 0.10", "-1.60", "-1.00\n± 0.20", "-4.45",
    ]  # fmt: skip
    assert len(ax.containers) == 8 + 4  # bars, and error bars where an error is known
    colours = [p.get_facecolor()[:3] for p in ax.patches[:4]]
    assert len(set(colours)) == 4
    with pytest.raises(ValueError, match="kind"):
        running([("x", 1.0, None, "magic")])
    with pytest.raises(ValueError, match="finite"):
        running([("x", float("nan"), None, "other")])
    assert not set(KINDS.values()) & set(MEMBERS)


@pytest.mark.parametrize(
    ("metal", "anion", "spacing", "donor", "kind"),
    [
        ("Cd", "Se", 3.0, "N", "donor\u2013Cd"),
        ("Zn", "O", 2.6, "O", "donor\u2013Zn"),
        ("Ti", "O", 2.9, "P", "donor\u2013Ti"),
        ("Pb", "S", 3.0, "S", "donor\u2013Pb"),
        ("Sn", "Br", 3.1, "N", "donor\u2013Sn"),
    ],
)
def test_ligands_on_any_surface_are_told_from_its_atoms(metal, anion, spacing, donor, kind):
    n = 4
    grid = [(i, j) for i in range(n) for j in range(n)]
    sheet_atoms = [
        (metal if (i + j) % 2 else anion, i * spacing, j * spacing, 0.0) for i, j in grid
    ]
    reach = 0.95 * (bonding.COVALENT[metal] + bonding.COVALENT[donor]) + 0.1
    x, y = spacing, 2 * spacing  # above a metal
    ligand = [(donor, x, y, reach), ("C", x, y + 0.6, reach + 1.4), ("F", x, y + 0.6, reach + 2.75)]
    names, *at = zip(*(sheet_atoms + ligand), strict=True)
    s = Structure(names, np.array(at).T, np.diag([n * spacing, n * spacing, 25.0]))
    group = bonding.molecules(s)
    assert [k for k in range(len(s)) if group[k] >= 0] == [16, 17, 18]
    found = bonding.contacts(s)
    assert (16, "metal") in [(max(c.i, c.j), c.kind) for c in found]
    assert all({c.i, c.j} & {16} for c in found)
    assert draw.meaning("metal", s.symbols) == kind
    shown, _ = bonding.cropped(s, 2.0)
    assert len(shown) == len(s)
    colour, radius = draw.appearance(metal)
    assert colour.startswith("#") and 0.2 < radius < 1.2


def test_carbon_layers_silica_and_iodine_over_a_vacancy_are_no_molecules():
    a = 2.46
    layer = Structure(
        ("C", "C", "O", "C"),
        np.array([[0.0, 0, 0], [0, a / 3**0.5, 0], [0.1, 0.1, 3.2], [0.1, 0.1, 4.35]]),
        np.array([[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, 20]]),
    )
    assert bonding.molecules(layer).tolist() == [-1, -1, 0, 0]
    pair = Structure(
        ("Pb", "Pb", "I", "I"), np.array([[0.0, 0, 0], [6, 0, 0], [3, 0, 1], [3, 0, 3.7]])
    )
    assert (bonding.molecules(pair) == -1).all()
