"""One source of dependencies, and everything made from it says the same: pyproject, locks,
environment.yml, Makefile."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ledger import files
from peled import __version__

ROOT = files.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())


def locked(name):
    """Requirement lines of a lock file with their hashes, by package and marker."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / name).read_text())
    found = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", " ")):
            requirement, *hashes = re.split(r"\s--hash=", line)
            parsed = Requirement(requirement.strip())
            found[canonicalize_name(parsed.name), str(parsed.marker or "")] = (
                str(parsed.specifier),
                sorted(h.strip() for h in hashes),
            )
    return found


EXTRAS = ("test", "lab", "site", "energetics")
LOCKS = {
    "requirements.lock": (),
    **{f"requirements-{extra}.lock": (extra,) for extra in EXTRAS},
}
HEADLESS = locked("requirements.lock")


@pytest.mark.parametrize("name", [*LOCKS, "requirements-uv.lock"])
def test_every_locked_package_has_hashes_and_no_registry_is_named(name):
    assert all(version.startswith("==") and hashes for version, hashes in locked(name).values())
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


@pytest.mark.parametrize(("name", "extras"), LOCKS.items())
def test_the_locks_hold_what_pyproject_asks_for(name, extras):
    wanted = PROJECT["dependencies"] + [
        r for extra in extras for r in PROJECT["optional-dependencies"][extra]
    ]
    versions = {}
    for (package, _), (specifier, _) in locked(name).items():
        versions.setdefault(package, []).append(specifier.removeprefix("=="))
    for requirement in map(Requirement, wanted):
        assert all(
            requirement.specifier.contains(v, prereleases=True)
            for v in versions[canonicalize_name(requirement.name)]
        ), requirement


def test_what_figures_need_is_free_of_jupyterlab_and_of_the_tests():
    names = {name for name, _ in HEADLESS}
    assert not names & {
        "jupyterlab",
        "pytest",
        "hypothesis",
        "frictionless",
        "colour-science",
        "sphinx",
    }


@pytest.mark.parametrize("name", LOCKS)
def test_every_lock_comes_on_top_of_the_same_packages(name):
    by_name = {}
    for (package, _), (specifier, hashes) in locked(name).items():
        by_name.setdefault(package, set()).update((specifier, h) for h in hashes)
    for (package, _), (specifier, hashes) in HEADLESS.items():
        assert {(specifier, h) for h in hashes} <= by_name.get(package, set()), (
            f"{package} differs between the locks: run `make lock`"
        )


def test_this_environment_is_the_locked_one():
    from packaging.markers import Marker

    for (name, marker), (specifier, _) in HEADLESS.items():
        if not marker or Marker(marker).evaluate():
            assert version(name) == specifier.removeprefix("=="), name


def test_conda_installs_python_pip_and_the_lock():
    plain = [d for d in CONDA["dependencies"] if isinstance(d, str)]
    nested = [d["pip"] for d in CONDA["dependencies"] if isinstance(d, dict)]
    assert [re.split(r"[=<> ]", d)[0] for d in plain] == ["python", "pip"] and nested == [
        ["-r requirements-lab.lock"]
    ]
    python = re.search(r"python=([\d.]+)", " ".join(plain))[1]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def channel(folder, pythons):
    """A conda channel of records only, enough for a solver."""

    def record(name, number, depends):
        return {
            "name": name,
            "version": number,
            "build": "0",
            "build_number": 0,
            "depends": depends,
            "subdir": "linux-64",
            "md5": "0" * 32,
            "sha256": "0" * 64,
            "size": 1,
            "timestamp": 0,
        }

    packages = {f"python-{v}-0.tar.bz2": record("python", v, []) for v in pythons} | {
        "pip-26.0-0.tar.bz2": record("pip", "26.0", ["python >=3.10"])
    }
    for subdir, content in (("linux-64", packages), ("noarch", {})):
        (folder / subdir).mkdir(parents=True)
        (folder / subdir / "repodata.json").write_text(
            json.dumps(
                {
                    "info": {"subdir": subdir},
                    "packages": content,
                    "packages.conda": {},
                    "removed": [],
                    "repodata_version": 1,
                }
            )
        )
    return folder


@pytest.mark.parametrize(
    ("pythons", "solvable"), [(["3.11.9", "3.12.8", "3.13.1"], True), (["3.9.1", "3.10.4"], False)]
)
def test_a_real_conda_solver_accepts_the_environment_file(tmp_path, pythons, solvable):
    import rattler
    from rattler.exceptions import SolverError

    source = rattler.Channel(channel(tmp_path / "conda-forge", pythons).as_uri())
    specs = [rattler.MatchSpec(d) for d in CONDA["dependencies"] if isinstance(d, str)]
    solving = rattler.solve(
        [source],
        specs,
        platforms=["linux-64", "noarch"],
        gateway=rattler.Gateway(cache_dir=tmp_path / "cache"),
    )
    if solvable:
        solved = {r.name.normalized: str(r.version) for r in asyncio.run(_awaited(solving))}
        assert set(solved) == {"python", "pip"} and SpecifierSet(
            PROJECT["requires-python"]
        ).contains(solved["python"])
    else:
        with pytest.raises(SolverError):
            asyncio.run(_awaited(solving))


async def _awaited(solving):
    return await solving


def test_versions_agree():
    assert PROJECT["version"] == __version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_citation_file_is_valid():
    """Against the Citation File Format's own schema, version 1.2.0 (CC-BY-4.0,
    doi:10.5281/zenodo.5171937)."""
    import jsonschema

    schema = json.loads((ROOT / "tests" / "cff-1.2.0.schema.json").read_text())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    jsonschema.validate(citation, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({k: v for k, v in citation.items() if k != "authors"}, schema)


def test_the_archive_is_told_the_same_as_the_reader():
    """Zenodo reads .zenodo.json, people CITATION.cff."""
    archive = json.loads((ROOT / ".zenodo.json").read_text())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {name: archive[name] for name in ("title", "keywords")} == {
        name: citation[name] for name in ("title", "keywords")
    }
    assert [c["name"] for c in archive["creators"]] == [a["name"] for a in citation["authors"]]
    assert archive["license"] in citation["license"]
    cited = [r["identifier"] for r in archive["related_identifiers"]]
    assert cited == [r["doi"] for r in citation["references"]]


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda p: p.name)
def test_files_for_the_code_host_are_whole(path):
    """Workflows name jobs with steps and targets that the Makefile has; forms say what they ask."""
    content = yaml.safe_load(path.read_text())
    if path.parent.name == "ISSUE_TEMPLATE":
        assert {"name", "description", "body"} <= set(content)
        assert all(part["attributes"]["label"] for part in content["body"])
        return
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    for job in content["jobs"].values():
        for step in job["steps"]:
            assert "uses" in step or set(step["run"].removeprefix("make ").split()) <= set(targets)


def make(*arguments, **environment):
    return subprocess.run(
        ["make", "-C", str(ROOT), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def test_a_missing_or_old_python_is_said_in_one_line(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\n[ \"$1\" = -V ] && echo 'Python 3.8.10' && exit 0\nexit 1\n")
    old.chmod(0o755)
    for python, message in (
        ("no-such-python3", "there is no no-such-python3 on this machine"),
        (str(old), "3.11 or newer; this is Python 3.8.10"),
    ):
        done = make("-B", "-n", f"PYTHON={python}", ".venv/.ok")
        recipe = done.stdout
        assert "command -v" in recipe
        check = subprocess.run(
            [
                "sh",
                "-c",
                "\n".join(
                    line
                    for line in recipe.splitlines()
                    if "command -v " + python in line or "version_info" in line
                ),
            ],
            capture_output=True,
            text=True,
        )
        assert (
            check.returncode
            and message in check.stderr
            and len(check.stderr.strip().splitlines()) == 1
        )


def test_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"\.PHONY: (.*)", text)[1].split()
    shown = make("help").stdout
    assert all(re.search(rf"^  {target}\s", shown, re.M) for target in phony if target != "help"), (
        shown
    )


def test_python_is_new_enough():
    assert SpecifierSet(PROJECT["requires-python"]).contains(
        ".".join(map(str, sys.version_info[:3]))
    )
