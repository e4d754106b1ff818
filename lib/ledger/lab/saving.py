"""What is saved of a notebook that was only run: nothing.

Outputs in a committed notebook are those of `make notebooks`, which later runs are compared with.
Running it in JupyterLab and saving keeps the file as it is; an edited notebook is saved as it
stands.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def keep_outputs(*, model: dict[str, Any], path: str, contents_manager, **_: Any) -> None:
    """Jupyter's pre-save hook: where no source was edited, save what the file already holds.

    Parameters
    ----------
    model : dict
        Of the notebook to be saved; its content is replaced in place.
    path : str
        Below the server's root.
    contents_manager : jupyter_server.services.contents.manager.ContentsManager
    """
    if model.get("type") != "notebook" or not path.lstrip("/").startswith("notebooks/"):
        return
    try:
        place = Path(contents_manager.root_dir, path.lstrip("/"))
        stored = json.loads(place.read_text(encoding="utf-8"))
        unedited = _sources(stored) == _sources(model["content"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # new, or no notebook yet: saved as it is
    if unedited:
        model["content"] = stored


def _sources(notebook: dict) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
