"""Imports run one way: notebook, topic, corridor. Forward models import no analysis."""

import ast

import pytest

from peled import files, paper

LIB = files.ROOT / "lib" / "peled"
ROOMS = sorted({claim.topic for claim in paper.claims().values()})
MODULES = sorted(LIB.rglob("*.py"))


def imported(path):
    """Names inside peled that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("peled."))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "peled":
                yield from (f"peled.{alias.name}" for alias in node.names)
            elif node.module.startswith("peled."):
                yield node.module


def room_of(name):
    part = name.split(".")[1]
    return part if part in ROOMS else None


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(LIB).as_posix())
def test_imports_run_one_way(path):
    parts = path.relative_to(LIB).with_suffix("").parts
    rooms = {room for name in imported(path) if (room := room_of(name))}
    if parts[0] == "simulate":
        assert not rooms, "a forward model that shares the analysis' formulas proves nothing"
    elif parts[0] in ROOMS:
        assert rooms <= {parts[0]}, (
            "topics never import each other: what two need belongs into the corridor"
        )
    elif parts[0] not in ("claims", "site"):
        assert not rooms, "the corridor knows no room"


def test_nothing_from_a_file_is_executed():
    """No pickle, no eval or exec, no unsafe YAML anywhere in the package."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in (
                    "eval",
                    "exec",
                    "pickle.load",
                    "pickle.loads",
                    "yaml.load",
                    "yaml.unsafe_load",
                ), f"{path.name}, line {node.lineno}: {name}"
                allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
                assert all(isinstance(v, ast.Constant) and v.value is False for v in allowed), (
                    f"{path.name}, line {node.lineno}: allow_pickle"
                )
