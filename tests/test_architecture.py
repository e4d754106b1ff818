"""Imports run one way: notebook, paper, ledger, peled; in peled topic, corridor. Forward models
import no analysis."""

import ast
import graphlib
import re

import pytest

from ledger import files, paper

LIB = files.ROOT / "lib"
PACKAGES = ("hassan2021", "ledger", "peled")  # each may import those to its right
ROOMS = sorted({claim.topic for claim in paper.claims().values()})
MODULES = sorted(LIB.rglob("*.py"))
OURS = [path for path in MODULES if path.relative_to(LIB).parts[0] == "peled"]


def named(path):
    return path.relative_to(LIB).as_posix()


def imported(path, *, types=True):
    """Names of our packages that a module imports, also inside functions, and for its types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guards = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    left_out = {id(node) for guard in guards if not types for node in ast.walk(guard)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(LIB).parts[: -node.level] if node.level else ()
            module = ".".join([*package, *filter(None, [node.module])])
            found = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in found if name.split(".")[0] in PACKAGES)


def room_of(name):
    package, *rest = name.split(".")
    return rest[0] if package == "peled" and rest and rest[0] in ROOMS else None


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_run_one_way(path):
    package, *parts = path.relative_to(LIB).with_suffix("").parts
    names = set(imported(path))
    rooms = {room for name in names if (room := room_of(name))}
    below = PACKAGES[PACKAGES.index(package) :]
    assert {name.split(".")[0] for name in names} <= set(below), "imports run one way"
    if package == "hassan2021" and parts[0] == "simulate":
        assert not rooms, "a forward model that shares the analysis' formulas proves nothing"
    elif package == "ledger":
        assert not rooms, "the machine knows no topic"
    elif package == "peled" and parts[0] in ROOMS:
        assert rooms <= {parts[0]}, "topics never import each other"
    elif package == "peled":
        assert not rooms, "the corridor knows no room"


@pytest.mark.parametrize("path", OURS, ids=named)
def test_peled_knows_no_repository_no_paper_and_no_platform(path):
    text = path.read_text(encoding="utf-8")
    for word in (r"\bROOT\b", r"(?i)hassan", r"\bfcntl\b", r"\bos\.fork\b", r"\bos\.uname\b"):
        assert not re.search(word, text), word
    assert not re.search(r"[\"']/(tmp|dev|proc|usr|etc|home)\b", text), "a POSIX path"


def test_the_ledger_knows_no_paper():
    for path in (LIB / "ledger").rglob("*.py"):
        assert not re.search(r"(?i)hassan|perovskite", path.read_text(encoding="utf-8")), path.name


def test_no_module_imports_itself_through_others():
    """Imports inside functions count: a circle is no order. Those for types load nothing."""
    name = {path: ".".join(path.relative_to(LIB).with_suffix("").parts) for path in MODULES}
    known = {n.removesuffix(".__init__") for n in name.values()}
    graph = {}
    for path, own in name.items():
        own = own.removesuffix(".__init__")
        found = {
            target for target in imported(path, types=False) if target in known and target != own
        }
        # A package's own face is loaded with any of its modules: no arrow of theirs.
        graph[own] = {target for target in found if not own.startswith(target + ".")}
    sorter = graphlib.TopologicalSorter(graph)
    sorter.prepare()  # raises CycleError, naming the circle


def test_nothing_from_a_file_is_executed():
    """No pickle, no eval or exec, no unsafe YAML anywhere in the packages."""
    forbidden = ("eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "yaml.unsafe_load")
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                place = f"{path.name}, line {node.lineno}"
                assert ast.unparse(node.func) not in forbidden, place
                allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
                assert all(isinstance(v, ast.Constant) and v.value is False for v in allowed), place
