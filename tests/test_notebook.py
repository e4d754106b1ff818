"""The desk of a notebook: files, results, verdicts, sliders."""

import json

import numpy as np
import pytest

from ledger import files, notebook, paper
from ledger.notebook import COMMON_PARAMETERS, open_room


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.delenv("PELED_STAGE", raising=False)
    return open_room(
        "synthesis",
        **{
            **COMMON_PARAMETERS,
            "figures_dir": str(tmp_path / "figures"),
            "results_dir": str(tmp_path / "results"),
        },
    )


def test_files_are_found_in_a_topic_folder_or_a_plain_one(room, tmp_path):
    assert room.file("procedure.yaml") == files.ROOT / "data" / "synthesis" / "procedure.yaml"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "procedure.yaml").write_text("x")
    own = open_room("synthesis", **{**COMMON_PARAMETERS, "data_dir": str(tmp_path / "mine")})
    assert own.file("procedure.yaml").parent == tmp_path / "mine"
    assert (
        own.file_or_bundled("molecules.json")
        == files.ROOT / "data" / "synthesis" / "molecules.json"
    )
    assert str(tmp_path) not in json.dumps(own._shown_parameters())


def test_missing_files_and_folders_are_named(room, tmp_path):
    with pytest.raises(
        files.MissingDataError,
        match=r"data/synthesis: expected the file nothing\.csv, found .*README",
    ):
        room.file("nothing.csv")
    with pytest.raises(files.MissingDataError, match=r"expected files like \*\.ufs"):
        room.files("*.ufs")
    with pytest.raises(files.MissingDataError, match="data_dir: expected a folder"):
        open_room("synthesis", **{**COMMON_PARAMETERS, "data_dir": str(tmp_path / "none")})
    with pytest.raises(TypeError, match="missing: quick"):
        open_room("synthesis", data_dir="data", figures_dir="figures", results_dir="r")


def test_results_are_refused_until_they_are_whole_and_then_fit_the_schema(room, capsys):
    with pytest.raises(ValueError, match=r"missing: C006, .*fig1a, fig1b"):
        room.finish()
    for entry in paper.claims().values():
        if entry.topic == "synthesis":
            room.not_testable(entry.id, "a test")
    for name in ("fig1a", "fig1b"):
        fig, _ = room.panel(name)
        room.save(fig, name, inputs=[room.file("procedure.yaml")], kind="published")
    room.quantity("length", 2.0, 0.1, "m")
    room.finish()
    results = json.loads((room.results_dir / "synthesis.json").read_text())
    assert results["quantities"] == [
        {
            "name": "length",
            "value": 2.0,
            "standard_error": 0.1,
            "unit": "m",
            "source_kind": "recomputed",
        }
    ]
    assert len(results["verdicts"]) == 39 and {f["name"] for f in results["figures"]} == {
        "fig1a",
        "fig1b",
    }
    assert results["figures"][0]["inputs"] == {
        "data/synthesis/procedure.yaml": files.sha256(room.file("procedure.yaml"))
    }
    assert "39 not testable" in capsys.readouterr().out


def test_what_cannot_be_a_result_is_refused(room):
    with pytest.raises(ValueError, match="finite"):
        room.quantity("x", float("nan"))
    with pytest.raises(ValueError, match="finite"):
        room.quantity("x", 1.0, -1.0)
    with pytest.raises(ValueError, match="source kind"):
        room.quantity("x", 1.0, kind="guessed")
    with pytest.raises(paper.LedgerError, match="C999"):
        room.not_testable("C999", "no such claim")


def test_the_verdict_table_counts_claims_not_routes(room):
    room.check("C118", 343.8, 3.9, kind="recomputed", route="lead")
    room.check("C118", 177.7, 2.1, kind="recomputed", route="bromide")
    room.check("C028", 2.008, kind="recomputed")
    table = room.verdicts()
    assert table.summary() == "1 agrees, 1 disagrees"
    assert "<script" not in table._repr_html_() and table._repr_html_().count("<tr>") == 4
    assert repr(table).count("\n") == 3


def test_exploring_without_a_front_end_draws_once_with_the_starting_values(monkeypatch):
    for name in ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    calls = []
    notebook.explore(
        lambda **values: calls.append(values), x=(0.0, 1.0, 0.1, 0.3), kind=["a", "b"], log=True
    )
    assert calls == [{"x": 0.3, "kind": "a", "log": True}]


def test_sliders_drive_the_drawing_where_a_front_end_is(monkeypatch):
    import ipywidgets
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    monkeypatch.delenv("PELED_STAGE", raising=False)
    monkeypatch.setattr(notebook, "_shell", lambda: object())
    shown, calls = [], []
    monkeypatch.setattr("IPython.display.display", lambda *objects: shown.extend(objects))
    InteractiveShell.instance()
    notebook.explore(lambda **values: calls.append(values), x=(0, 10, 1, 3), kind=["a", "b"])
    slider, choice = shown[0].children
    assert isinstance(slider, ipywidgets.IntSlider) and isinstance(choice, ipywidgets.Dropdown)
    slider.value = 7
    choice.value = "b"
    assert calls[0] == {"x": 3, "kind": "a"} and calls[-1] == {"x": 7, "kind": "b"}
    InteractiveShell.clear_instance()


def test_writing_is_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.json"
    files.write_atomically(target, "old")
    with pytest.raises(TypeError):
        files.write_atomically(target, files.to_json(object()))
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.json"]
    assert files.to_json({"b": 1, "a": 2}) == files.to_json({"a": 2, "b": 1})


def test_what_a_person_tries_goes_into_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv("PELED_STAGE", raising=False)
    plain = open_room("synthesis", **COMMON_PARAMETERS)
    assert plain.figures_dir == files.ROOT / "figures"
    monkeypatch.setattr(notebook, "is_live", lambda: True)
    tried = open_room("synthesis", **COMMON_PARAMETERS)
    assert tried.figures_dir == files.ROOT / "build" / "interactive" / "figures"
    assert tried.results_dir == files.ROOT / "build" / "interactive" / "results"
    asked = open_room("synthesis", **{**COMMON_PARAMETERS, "figures_dir": str(tmp_path)})
    assert asked.figures_dir == tmp_path
    monkeypatch.setenv("PELED_STAGE", str(tmp_path / "stage"))
    staged = open_room("synthesis", **COMMON_PARAMETERS)
    assert staged.figures_dir == tmp_path / "stage" / "figures"


@pytest.mark.parametrize("cost_s", [0.0, 0.3])
def test_a_slow_picture_waits_until_the_slider_is_let_go(monkeypatch, cost_s):
    pytest.importorskip("ipywidgets")
    from IPython import display

    shown, clock = [], iter(np.cumsum([0.0, cost_s] * 4))
    monkeypatch.setattr(notebook, "is_live", lambda: True)
    monkeypatch.setattr(notebook.time, "process_time", lambda: next(clock))
    monkeypatch.setattr(display, "display", lambda *widgets: shown.extend(widgets))
    notebook.explore(lambda width, wave: None, width=(1, 5, 1, 2), wave=["a", "b"])
    sliders = [w for w in shown[0].children if w.has_trait("continuous_update")]
    assert len(sliders) == 1 and sliders[0].continuous_update == (cost_s < notebook.AT_ONCE_S)
