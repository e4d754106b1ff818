"""The procedure of a synthesis reads the same from another format, in other units."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from ledger import files


def run(*arguments):
    environment = {k: v for k, v in os.environ.items() if k not in ("PELED_STAGE", "PYTHONPATH")}
    command = [sys.executable, "-m", "ledger.run", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=files.ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_procedure_in_other_units_and_as_json_gives_the_same_synthesis(tmp_path):
    text = (files.ROOT / "data" / "synthesis" / "procedure.yaml").read_text()
    for old, new in (
        ("922 mg", "0.922 g"),
        ("223 mg", "223000 ug"),
        ("volume: 0.2 mL", "volume: 200 uL"),
        ("volume: 20 mL", "volume: 0.02 L"),
        ("2 mmol", "0.002 mol"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "mylab").mkdir()
    (tmp_path / "mylab" / "procedure.yaml").write_text(json.dumps(yaml.safe_load(text)))
    run("01_synthesis", "--data", tmp_path / "mylab", "--figures", tmp_path / "out")
    own = json.loads((tmp_path / "out" / "results" / "synthesis.json").read_text())
    bundled = json.loads((files.ROOT / "figures" / "results" / "synthesis.json").read_text())
    values = [{q["name"]: q["value"] for q in r["quantities"]} for r in (own, bundled)]
    assert values[0] == pytest.approx(values[1], rel=1e-9)
    assert [v["verdict"] for v in own["verdicts"]] == [v["verdict"] for v in bundled["verdicts"]]
    assert {f["name"]: f["source_kind"] for f in own["figures"]}["fig1a"] == "measured"
