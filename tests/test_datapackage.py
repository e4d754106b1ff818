"""The data catalogue: complete, up to date, valid by the standard's own tool."""

import shutil

import pytest

from ledger import datapackage, files
from peled.sources import CatalogueError, kind_of
from peled.tables import table

ROOTS = {folder.relative_to(files.ROOT).as_posix(): folder for folder in datapackage.roots()}


def test_data_tables_and_ledgers_have_a_catalogue_each():
    ours = {"lib/peled/tables", "lib/peled/examples"}
    assert set(ROOTS) == {"data", "lib/hassan2021/published"} | ours


@pytest.mark.parametrize("folder", ROOTS.values(), ids=ROOTS)
def test_the_catalogue_is_up_to_date_and_lists_every_file(folder):
    kept = (folder / "datapackage.json").read_text()
    assert kept == files.to_json(datapackage.build(folder))


@pytest.mark.parametrize("folder", ROOTS.values(), ids=ROOTS)
def test_the_standards_own_tool_accepts_it(folder):
    import frictionless

    package = frictionless.Package(str(folder / "datapackage.json"))
    report = package.validate()
    assert len(report.tasks) == len(package.resources) > 1
    assert report.valid, [
        (task.place, [error.message for error in task.errors][:2])
        for task in report.tasks
        if not task.valid
    ][:5]
    for resource in package.resources:
        assert (
            resource.custom["sourceKind"] in datapackage.SOURCE_KINDS
            and resource.custom["made"]
            and resource.licenses
        ), resource.name


def test_the_standards_own_tool_finds_an_altered_file(tmp_path):
    import frictionless

    shutil.copytree(files.ROOT / "data" / "synthesis", tmp_path / "synthesis")
    package = datapackage.build(tmp_path)
    (tmp_path / "datapackage.json").write_text(files.to_json(package))
    assert frictionless.Package(str(tmp_path / "datapackage.json")).validate().valid
    with (tmp_path / "synthesis" / "procedure.yaml").open("a") as stream:
        stream.write("# altered")
    assert not frictionless.Package(str(tmp_path / "datapackage.json")).validate().valid


def test_the_kind_of_a_file_is_the_catalogues_or_measured(tmp_path):
    data = files.ROOT / "data"
    assert kind_of(table("cie/cie_1924_photopic.csv")) == "published"
    with pytest.raises(CatalogueError, match="without a catalogue"):
        kind_of(files.ROOT / "lib" / "peled" / "figures.py")
    assert kind_of(data / "synthesis" / "procedure.yaml") == "published"
    own = shutil.copy(data / "synthesis" / "procedure.yaml", tmp_path / "procedure.yaml")
    assert kind_of(own) == "measured"
    assert kind_of(own, data / "synthesis" / "procedure.yaml") == "published"
    with pytest.raises(CatalogueError, match=r"nowhere\.csv: not listed"):
        kind_of(data / "synthesis" / "nowhere.csv")


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (
            "files: [{path: b.csv, title: t, kind: published, made: m}]",
            "b.csv: expected a file, found none",
        ),
        (
            "files: [{path: a.csv, title: t, kind: guessed, made: m}]",
            "kind: expected one of .* found 'guessed'",
        ),
        ("files: [{path: a.csv, title: t, kind: published}]", "expected the key 'made'"),
        (
            "files: [{path: a.csv, title: t, kind: published, made: m, licence: none}]",
            "licence: expected one of",
        ),
        (
            "files: [{path: a.csv, title: t, kind: published, made: m}, {path: "
            "'*.csv', title: t, kind: published, made: m}]",
            "listed twice",
        ),
        ("files: [", "expected YAML"),
    ],
)
def test_a_broken_entry_is_named(tmp_path, about, message):
    (tmp_path / "topic").mkdir()
    (tmp_path / "topic" / "a.csv").write_text("x\n1\n")
    (tmp_path / "topic" / "about.yaml").write_text(about)
    with pytest.raises(CatalogueError, match=message):
        datapackage.build(tmp_path)


def test_a_file_that_nobody_lists_is_named(tmp_path):
    (tmp_path / "topic").mkdir()
    (tmp_path / "topic" / "stray.csv").write_text("x\n1\n")
    with pytest.raises(CatalogueError, match=r"topic/stray\.csv"):
        datapackage.build(tmp_path)
