"""JupyterLab as `make lab` starts it: using the notebooks changes nothing under version control."""

from .saving import keep_outputs

__all__ = ["keep_outputs"]
