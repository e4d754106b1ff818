"""`make mutants`: slips planted in the physics, one at a time, against the tests of their own room.

    python tests/slips.py 200            a seeded sample of as many slips, and those by hand
    python tests/slips.py 200 led nmr    in these rooms only
    python tests/slips.py 0              those by hand
    python tests/slips.py errors led     every error formula half as large again (`widened`),
    against its check

A slip is a change that a tired person makes: a sign, a factor of a thousand, a root forgotten, sine
for cosine, an argument for its neighbour. The tests of the room that run the line run one after
another, the quickest first, until one fails. Which tests run which lines is noted once and kept in
`build/slips` until a test or what it runs has changed. What survives is printed with its place: the
slip changes nothing, or a test is missing. Those that were looked at and change nothing stand in
`equivalent_slips.csv` with the reason and are counted apart. Of each error formula, the tests that
catch it stand in `error_formulas.csv`, which `test_error_terms` holds complete.

Everything is imported once; each slip is planted in a fork (so this needs Linux or macOS).
"""

from __future__ import annotations

import ast
import copy
import csv
import gc
import hashlib
import json
import os
import random
import re
import resource
import signal
import sys
import time
from collections import defaultdict
from functools import _lru_cache_wrapper, cache
from pathlib import Path
from types import CodeType, FunctionType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
LIB = ROOT / "lib" / "peled"
TESTS = ROOT / "tests"


@cache
def _source(path: Path) -> str:
    """The text of a module as it was when first read: it may be edited during a run."""
    return path.read_text(encoding="utf-8")


def _tests_of(room: str) -> list[str]:
    """The tests whose names begin with that of a room, then those that hold all formulas."""
    own = [path.stem for path in sorted(TESTS.glob(f"test_{room}*.py"))]
    return [*own, "test_error_terms", "test_formulas"]


ROOMS = {
    path.name: _tests_of(path.name)
    for path in sorted(LIB.iterdir())
    if (path / "__init__.py").exists()
    and path.name not in ("campaign", "formats", "lab", "samples")
} | {"materials.py": _tests_of("structure"), "photoluminescence": _tests_of("pho")}
#: Modules that hold no physics: pictures, files, tables for a person.
NO_PHYSICS = (
    "plots",
    "explore",
    "drawers",
    "pictures",
    "view3d",
    "draw",
    "desk",
    "export",
    "reading",
    "loading",
    "waterfall",
    "__init__",
    "interactive",
    "making",
    "rows",
    "analyse",
    "thinner",
)
SECONDS = 120  # of a processor, for the tests of one slip
MOST = 60  # seconds that the tests of one slip took when they were noted
FEW = 8  # tests that are tried before the others are collected
KEPT = ROOT / "build" / "slips"
_PREFIX = f"{LIB}/"
NO_PHYSICS_TEST = "test_every_error_formula_has_a_check_or_a_reason"  # fails of any change
EQUIVALENT = Path(__file__).with_name("equivalent_slips.csv")
FORMULAS = Path(__file__).with_name("error_formulas.csv")

#: By hand: what somebody once got wrong, or nearly did (module, as it stands, the slip).
BY_HAND = (
    ("synthesis/amounts.py", "(1 - purity) / 12**0.5", "(1 - purity) / 12"),
    ("synthesis/amounts.py", "(1 - purity) / 10", "(1 - purity) / 3"),
    ("transient_absorption/compare.py", "fluence_uJ_cm2 * 1e-6", "fluence_uJ_cm2 * 1e-3"),
    ("transient_absorption/compare.py", "edge_nm**3 * 1e-21", "edge_nm**3 * 1e-18"),
    ("photoluminescence/fluence.py", "/ (thickness_nm * 1e-7)", "/ (thickness_nm * 1e-9)"),
    ("photoluminescence/fluence.py", "- 2 * covariance[0, 1]", "+ 2 * covariance[0, 1]"),
    (
        "led/current_voltage.py",
        "math.hypot((1 - share) * relative[0], share * relative[1])",
        "math.hypot(share * relative[0], (1 - share) * relative[1])",
    ),
    (
        "nmr/integrals.py",
        "slope[i], slope[j] = 1 / b, -a / b**2",
        "slope[i], slope[j] = 1 / b, a / b**2",
    ),
    (
        "nmr/integrals.py",
        "np.outer(lost, lost)",
        "np.diag(np.square(lost))",
    ),
    ("nmr/titration.py", "4 * np.pi * (1 - p) ** 2 * p", "4 * np.pi * (1 - p) * p**2"),
    ("nmr/titration.py", "error[2] / slow**2", "error[2] / slow"),
    ("../hassan2021/cpmas.py", "area / carbons / (total / 2)", "area / carbons / total"),
    (
        "structure/electrons.py",
        's.photon_energy_eV - (p["cutoff"] - bias)',
        's.photon_energy_eV - (p["cutoff"] + bias)',
    ),
    ("structure/electrons.py", '(p["cutoff"] - p["onset"])', '(p["cutoff"] + p["onset"])'),
    ("structure/xrd/evidence.py", "second.a_A - first.a_A", "first.a_A - second.a_A"),
    ("structure/electrons.py", "lambda q: 1 / (1 + q), made", "lambda q: q / (1 + q), made"),
    (
        "structure/xps.py",
        "- 2 * covariance / (first[0] * second[0])",
        "+ 2 * covariance / (first[0] * second[0])",
    ),
    ("structure/microscopy.py", "float(3 * q**2 * q_error)", "float(3 * q * q_error)"),
    (
        "structure/icpms.py",
        "-concentration / calibration.slope]",
        "concentration / calibration.slope]",
    ),
    (
        "photoluminescence/recycling.py",
        "self.escape / (self.escape + external * self.reabsorbed) ** 2",
        "external / (self.escape + external * self.reabsorbed) ** 2",
    ),
    (
        "photoluminescence/shift_budget.py",
        "np.sqrt(1 + 4 * parabolic / gap_eV)",
        "np.sqrt(1 + 2 * parabolic / gap_eV)",
    ),
    ("photoluminescence/shift_budget.py", "2 * before / from_edge_nm", "before / from_edge_nm"),
    ("led/routes.py", "0.1 / 12**0.5", "0.1 / 12"),
    (
        "materials.py",
        "(1 - x) * ends_error_A[0], x * ends_error_A[1]",
        "x * ends_error_A[0], (1 - x) * ends_error_A[1]",
    ),
    ("quantities/estimates.py", "2 / (9 * degrees_of_freedom)", "2 / (3 * degrees_of_freedom)"),
    ("quantities/estimates.py", "variance = noise**2", "variance = noise"),
    ("quantities/gates.py", "(high - low) / 12**0.5", "(high - low) / 12"),
    ("nmr/processing.py", "3 / length * max(power, 0.0)", "0.0 * max(power, 0.0)"),
    ("nmr/analyse.py", "- 2 * c[i, j] * a / b**3", "+ 2 * c[i, j] * a / b**3"),
    (
        "structure/eds.py",
        "self.counts + self.background, 1.0",
        "self.counts - self.background, 1.0",
    ),
    ("structure/xrd/breadths.py", "0.04 * np.sin(theta)", "0.01 * np.sin(theta)"),
    ("led/light.py", "noise / float(np.sqrt(stop))", "noise / stop"),
    ("led/light.py", "np.sqrt(1 / stop + at[-1] ** 2 / (at @ at))", "np.sqrt(1 / stop)"),
    ("led/light.py", "least / np.sqrt(3)", "least / np.sqrt(12)"),
    ("led/consistency.py", "for s in (0.5, -0.5)", "for s in (1.0, -1.0)"),
    ("led/current_voltage.py", "(a + b - 1)", "(a + b)"),
    ("photoluminescence/confocal.py", "1.2533 * np.std(found, ddof=1)", "np.std(found, ddof=1)"),
    ("photoluminescence/spots.py", "share * (1 - share), 1 / len(found)", "share, 1 / len(found)"),
    ("photoluminescence/measures.py", "noise * np.log(10) * 10", "noise * 10"),
    ("transient_absorption/globalfit.py", "np.hypot(c * ec, s * es) / size", "np.hypot(ec, es)"),
    ("lineshapes/spectra.py", "* jacobian**2", "* jacobian"),
    ("separable/fitting.py", "covariance_of(jacobian) * factor", "covariance_of(jacobian)"),
    ("separable/fitting.py", "/ prior.error) ** 2", "/ prior.error)"),
    (
        "separable/fitting.py",
        "np.sum(residual**2) / freedom",
        "np.sum(residual**2) / (freedom + 3)",
    ),
)

# ---- what a slip is ------------------------------------------------------------------------------

_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
_ORDER = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
_NAMES = {
    "sin": "cos",
    "cos": "sin",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "argmax": "argmin",
    "argmin": "argmax",
    "mean": "sum",
    "sum": "mean",
    "exp": "expm1",
    "log10": "log",
    "log": "log10",
    "cosh": "sinh",
}


def changes(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """What may go wrong at one node: (what is done, the node in its place)."""
    found = []

    def put(said: str, new: ast.AST) -> None:
        found.append((said, ast.copy_location(new, node)))

    if isinstance(node, ast.BinOp):
        if other := _OPERATORS.get(type(node.op)):
            put(f"{type(node.op).__name__} -> {other.__name__}", _with(node, op=other()))
        if isinstance(node.op, ast.Pow):
            put("power dropped", node.left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        put("sign dropped", node.operand)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _ORDER:
        put("comparison turned", _with(node, ops=[_ORDER[type(node.ops[0])]()]))
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = node.value
        if value and (type(value) is float or abs(value) > 2):
            put(f"{value!r} -> {value * 2!r}", ast.Constant(value * 2))
        if type(value) is float and value in (1e3, 1e6, 1e9, 1e-3, 1e-6, 1e-9, 1e4, 1e7):
            put(f"{value!r} a thousand times", ast.Constant(value * 1e3))
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in ("sqrt", "abs", "hypot") and node.args:
            put(f"{name} dropped", node.args[0])
        if name in _NAMES and isinstance(node.func, ast.Attribute):
            put(f"{name} -> {_NAMES[name]}", _with(node, func=_with(node.func, attr=_NAMES[name])))
        plain = [a for a in node.args if isinstance(a, ast.Name)]
        called = name or getattr(node.func, "id", "")
        ordered = called not in ("min", "max", "hypot", "minimum", "maximum", "isclose", "gcd")
        ordered &= len({a.id for a in plain[:2]}) > 1
        if ordered and len(node.args) == len(plain) > 1 and not node.keywords:
            first, second, *rest = node.args
            put("arguments swapped", _with(node, args=[second, first, *rest]))
    return found


_ERROR = re.compile(
    r"(?<!is)(^|_)(errors?|variances?|covariance|std|sigma|half_width|deviation)(_|$)"
)
_SPREADS = {"sqrt", "hypot", "std", "var", "norm", "inv", "pinv"}


def widened(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """A statement that calculates an error, with the error half as large again: as `changes`.

    An error formula is arithmetic that is given a name of an error (or of a variance, covariance,
    deviation), by assignment or by keyword, or is the second of a returned pair and has a root in
    it.
    """
    if isinstance(node, ast.keyword) and node.arg:
        return [(s, _with(node, value=new)) for s, new in _wider(node.arg, node.value)]
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        *value, error = node.value.elts or [None]
        if len(value) == 1 and _calls(error) & _SPREADS:
            pair = _with(node.value, elts=[*value, _times(error, 1.5)])
            return [(f"1.5 times {ast.unparse(error)}", ast.Return(pair))]
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        return [(s, _with(node, value=n)) for s, n in _wider(_called(node.target), node.value)]
    if not isinstance(node, ast.Assign):
        return []
    targets, value = node.targets[0], node.value
    if not isinstance(targets, ast.Tuple):
        return [(s, _with(node, value=new)) for s, new in _wider(_called(targets), value)]
    if not isinstance(value, ast.Tuple):
        return []
    found = []
    for k, (target, one) in enumerate(zip(targets.elts, value.elts)):
        for said, new in _wider(_called(target), one):
            elts = [*value.elts[:k], new, *value.elts[k + 1 :]]
            found.append((said, _with(node, value=_with(value, elts=elts))))
    return found


def _wider(name: str, value: ast.AST) -> list[tuple[str, ast.AST]]:
    if not _ERROR.search(name):
        return []
    sums = any(isinstance(n, ast.BinOp) and type(n.op) is not ast.BitOr for n in ast.walk(value))
    if not (sums or _calls(value) & _SPREADS):
        return []
    if "SIGMA_PER_FWHM" in ast.unparse(value):  # the width of a line
        return []
    factor = 2.25 if re.search("variance", name) else 1.5
    return [(f"{factor} times {name} = {ast.unparse(value)}", _times(value, factor))]


def _times(value: ast.AST, factor: float) -> ast.AST:
    """An expression times a factor; of a dict, its values."""
    if isinstance(value, ast.Dict):
        return _with(value, values=[_times(v, factor) for v in value.values])
    if isinstance(value, ast.DictComp):
        return _with(value, value=_times(value.value, factor))
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        return _with(value, left=_times(value.left, factor), right=_times(value.right, factor))
    if isinstance(value, ast.IfExp):
        return _with(value, body=_times(value.body, factor), orelse=_times(value.orelse, factor))
    if isinstance(value, ast.Constant) and not isinstance(value.value, float):  # None
        return value
    if isinstance(value, (ast.Lambda, ast.ListComp)):
        body = "body" if isinstance(value, ast.Lambda) else "elt"
        return _with(value, **{body: _times(getattr(value, body), factor)})
    return ast.BinOp(value, ast.Mult(), ast.Constant(factor))


def _called(node: ast.AST) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def _calls(node: ast.AST) -> set[str]:
    return {_called(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}


def _with(node, **fields):
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


class _Places(ast.NodeVisitor):
    """All slips of a module, with the outermost function each sits in."""

    def __init__(self, changes=changes):
        self.changes = changes
        self.found: list[tuple[int, str, str, int]] = []  # line of function, name, said, line
        self.function: list[tuple[int, str]] = []

    def visit_FunctionDef(self, node):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        self.function.append((first, node.name))
        for child in node.body:
            self.visit(child)
        self.function.pop()

    def visit_Raise(self, node):
        """What is said of an error is no physics."""

    def visit_JoinedStr(self, node):
        """Neither is any other sentence."""

    def visit_Subscript(self, node):
        self.visit(node.value)  # an index is mended by the first run

    def generic_visit(self, node):
        if self.function:
            for said, new in self.changes(node):
                self.note(node, said, new)
        super().generic_visit(node)

    def note(self, node, said, new):
        text = f"{said}: {ast.unparse(node)}"
        self.found.append((*self.function[0], text, node.lineno))


class _Plant(_Places):
    """The same walk, which finds the node of a number and what comes in its place."""

    def __init__(self, number: int, changes):
        super().__init__(changes)
        self.number, self.count, self.target = number, 0, None

    def note(self, node, said, new):
        if self.count == self.number:
            self.target = (node, new)
        self.count += 1


class _Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def slips_of(path: Path, changes=changes) -> list[tuple[int, str, str, int]]:
    """(first line of the function, its name, what is done, line) of each slip of a module."""
    places = _Places(changes)
    places.visit(ast.parse(_source(path)))
    return places.found


def by_hand() -> list[tuple[str, Path, int, tuple]]:
    """The slips written by hand, as `candidates`; their numbers are negative."""
    found = []
    for k, (name, old, new) in enumerate(BY_HAND):
        path = LIB / name
        source = _source(path)
        if source.count(old) != 1:
            raise ValueError(f"{name}: expected {old!r} once, found it {source.count(old)} times")
        line = source[: source.index(old)].count("\n") + 1
        inside = [n for n in _functions(path) if n.lineno <= line <= n.end_lineno]
        outer = min((n for n in inside if isinstance(n, ast.FunctionDef)), key=lambda n: n.lineno)
        first = min([outer.lineno, *(d.lineno for d in outer.decorator_list)])
        found.append((name.split("/")[0], path, -1 - k, (first, outer.name, new, line)))
    return found


def planted(source: str, number: int, changes) -> ast.Module:
    """The module with its slip of a number."""
    if number < 0:
        _, old, new = BY_HAND[-1 - number]
        return ast.parse(source.replace(old, new))
    tree = ast.parse(source)
    plant = _Plant(number, changes)
    plant.visit(tree)
    old, new = plant.target
    return ast.fix_missing_locations(_Replace(old, new).visit(tree))


# ---- the run -------------------------------------------------------------------------------------


def _codes(code: CodeType):
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def plant(path: Path, number: int, changes, first: int, name: str) -> None:
    """Give the function of a loaded module the code with the slip."""
    whole = compile(planted(_source(path), number, changes), str(path), "exec")
    (new,) = (c for c in _codes(whole) if c.co_name == name and c.co_firstlineno == first)
    functions = [f for f in gc.get_objects() if isinstance(f, FunctionType)]
    (live,) = (
        f
        for f in functions
        if (f.__code__.co_filename, f.__code__.co_name, f.__code__.co_firstlineno)
        == (str(path), name, first)
    )
    live.__code__ = new


_PYTEST = ["-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=no", "--rootdir", str(ROOT)]


class _First:
    """A plugin of pytest that says which test fails first."""

    def __init__(self, pipe: int):
        self.pipe = pipe

    def pytest_runtest_logreport(self, report):
        if report.failed:
            os.write(self.pipe, report.nodeid.encode())


def _quiet(arguments, plugins=()) -> int:
    """Run pytest and say nothing."""
    kept = [os.dup(k) for k in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for k in (1, 2):
        os.dup2(nowhere, k)
    try:
        return int(pytest.main([*_PYTEST, *arguments], plugins=list(plugins)))
    finally:
        for k in (1, 2):
            os.dup2(kept[k - 1], k)


def _functions(path: Path) -> list[ast.AST]:
    tree = ast.parse(_source(path))
    return [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]


class _Trace:
    """A plugin of pytest that notes which lines of the library each test runs, and its time.

    What a fixture that is made once runs counts for every test that uses it; what the library
    keeps (`functools.cache`) is forgotten before each test.
    """

    CALLS = 5000  # of a function in a test that are followed

    def __init__(self):
        self.tests: dict[str, tuple[float, set]] = {}
        self.failed: set[str] = set()
        self.fixtures: dict[str, set] = defaultdict(set)
        self.now: set[tuple[str, int]] = set()
        self.calls: dict[CodeType, int] = defaultdict(int)

    def _called(self, frame, event, _):
        code = frame.f_code
        if not code.co_filename.startswith(_PREFIX):
            return None
        self.calls[code] += 1
        return self._line if self.calls[code] <= self.CALLS else None

    def _line(self, frame, event, _):
        if event == "line":
            self.now.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line

    def pytest_collection_finish(self):
        kept = [f for f in gc.get_objects() if isinstance(f, _lru_cache_wrapper)]
        ours = {"peled", "hassan2021", *(path.stem for path in TESTS.glob("*.py"))}
        self.kept = [f for f in kept if f.__module__.split(".")[0] in ours]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        before, self.now = self.now, set()
        yield
        self.fixtures[fixturedef.argname] |= self.now
        self.now |= before

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item):
        for function in self.kept:
            function.cache_clear()
        self.now, start = set(), time.process_time()
        self.calls.clear()
        sys.settrace(self._called)
        yield
        sys.settrace(None)
        name = item.nodeid.split("[")[0]
        seconds, lines = self.tests.get(name, (0.0, set()))
        lines |= self.now.union(*(self.fixtures[f] for f in item.fixturenames))
        self.tests[name] = (seconds + time.process_time() - start, lines)

    def pytest_runtest_logreport(self, report):
        if report.outcome != "passed":
            self.failed.add(report.nodeid.split("[")[0])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


@cache
def reach(name: str) -> dict[str, tuple[float, dict[str, list[int]]]]:
    """Of each test of a file: its time, and the lines it runs, by module. Kept between runs."""
    kept = KEPT / f"{name}.json"
    path = TESTS / f"{name}.py"
    if kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if all(_digest(ROOT / file) == digest for file, digest in found["digests"].items()):
            return found["tests"]
    print(f"noting which lines {path.name} runs", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if not child:
        try:
            _note(path, kept)
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError(f"{path.name}: nothing could be noted")
    return json.loads(kept.read_text(encoding="utf-8"))["tests"]


def _note(path: Path, kept: Path) -> None:
    trace = _Trace()
    ended = _quiet(["--maxfail=1000", path.relative_to(ROOT).as_posix()], [trace])
    if ended > pytest.ExitCode.TESTS_FAILED:
        raise RuntimeError(f"{path.name}: pytest ended with {ended}")
    tests = {}
    for name, (seconds, lines) in trace.tests.items():
        if name not in trace.failed:
            modules = defaultdict(list)
            for file, line in sorted(lines):
                modules[Path(file).relative_to(LIB).as_posix()].append(line)
            tests[name] = (seconds, modules)
    files = {LIB / module for _, modules in tests.values() for module in modules}
    digests = {p.relative_to(ROOT).as_posix(): _digest(p) for p in sorted({path, *files})}
    kept.write_text(json.dumps({"digests": digests, "tests": tests}), encoding="utf-8")


def near(room: str, path: Path, line: int) -> list[str]:
    """The tests of a room that run the statement of a line, the quickest first."""
    first, last = _statement(path, line)
    module = path.relative_to(LIB).as_posix()
    found = [
        (seconds, test)
        for name in ROOMS[room]
        for test, (seconds, modules) in reach(name).items()
        if any(first <= n <= last for n in modules.get(module, ()))
        and not test.endswith(NO_PHYSICS_TEST)
    ]
    found.sort()
    until = np.cumsum([seconds for seconds, _ in found])
    return [test for (_, test), total in zip(found, until, strict=True) if total < MOST]


@cache
def _statements(path: Path) -> list[tuple[int, int]]:
    """First and last line of each statement; of one that holds others, of its head."""
    found = []
    for node in ast.walk(ast.parse(_source(path))):
        if isinstance(node, ast.stmt):
            inner = [n.lineno for n in getattr(node, "body", []) if isinstance(n, ast.stmt)]
            last = max(node.lineno, min(inner) - 1) if inner else node.end_lineno
            found.append((node.lineno, last))
    return found


def _statement(path: Path, line: int) -> tuple[int, int]:
    inside = [(first, last) for first, last in _statements(path) if first <= line <= last]
    return min(inside, key=lambda s: s[1] - s[0], default=(line, line))


def candidates(rooms, changes=changes) -> list[tuple[str, Path, int, tuple]]:
    """Every slip of the physics: room, module, number, what it is."""
    found = []
    for room in rooms:
        top = LIB / room
        for path in [top] if top.is_file() else sorted(top.rglob("*.py")):
            if changes is widened or path.stem not in NO_PHYSICS:
                found += [(room, path, k, slip) for k, slip in enumerate(slips_of(path, changes))]
    return found


def judge(path, number, changes, first, name, tests: list[str]) -> tuple[str, str]:
    """caught, survived, unreached, out of time, or not run (an error of this tool); the test."""
    if not tests:
        return "unreached", ""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        try:
            plant(path, number, changes, first, name)
            gc.freeze()  # what is there already is no rubbish of the tests
            ended = _quiet(tests[:FEW], [_First(writing)])
            if not ended and tests[FEW:]:
                ended = _quiet(tests[FEW:], [_First(writing)])
            os._exit(ended)
        finally:  # an error of ours
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    os.close(writing)
    with os.fdopen(reading) as f:
        test = f.read()
    if os.WIFSIGNALED(status):
        return "out of time" if os.WTERMSIG(status) == signal.SIGXCPU else "caught", test
    outcomes = {pytest.ExitCode.OK: "survived", pytest.ExitCode.TESTS_FAILED: "caught"}
    return outcomes.get(os.WEXITSTATUS(status), "not run"), test


def known_equivalents() -> set[tuple[str, str, str]]:
    """(module, function, slip) of those that change nothing."""
    with EQUIVALENT.open(encoding="utf-8", newline="") as f:
        return {(row["module"], row["function"], row["slip"]) for row in csv.DictReader(f)}


def error_checks() -> dict[tuple[str, str], list[str]]:
    """The tests that hold the error formulas of each function, none where there is a reason."""
    with FORMULAS.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    return {(row["module"], row["function"]): row["check"].split() for row in rows}


def main(arguments: list[str]) -> int:
    rooms = [a for a in arguments if a in ROOMS] or list(ROOMS)
    change = widened if "errors" in arguments else changes
    sample = candidates(rooms, change)
    if change is changes:
        count = next((int(a) for a in arguments if a.isdigit()), 200)
        generator = random.Random(int(os.environ.get("SEED", 1)))
        sample = generator.sample(sample, min(count, len(sample)))
        sample = [slip for slip in by_hand() if slip[0] in rooms] + sample
    _quiet(["--collect-only", *{f"tests/{name}.py" for room in rooms for name in ROOMS[room]}])
    equivalent, checks = known_equivalents(), error_checks()
    table = defaultdict(lambda: defaultdict(int))
    for room, path, number, (first, function, said, line) in sample:
        where, test = path.relative_to(LIB), ""
        if (where.as_posix(), function, said) in equivalent:
            outcome = "equivalent"
        else:
            if change is widened:
                named = checks[where.as_posix(), function]
                tests = [f"tests/{c.replace('::', '.py::')}" for c in named]
            else:
                tests = near(room, path, line)
            outcome, test = judge(path, number, change, first, function, tests)
        table[room][outcome] += 1
        print(f"{outcome}: {where}:{line} {function}: {said} [{test}]", flush=True)
    outcomes = ("caught", "equivalent", "survived", "unreached", "out of time", "not run")
    print(f"\n{'':22}", *outcomes)
    for room, counts in sorted(table.items()):
        print(f"{room:22}", *(f"{counts[o]:{len(o)}d}" for o in outcomes))
    whole = sum(n for c in table.values() for o, n in c.items() if o != "equivalent")
    print(f"{sum(c['caught'] for c in table.values())} of {whole} slips that matter caught")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
