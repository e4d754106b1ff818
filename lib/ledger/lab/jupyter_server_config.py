"""Read by JupyterLab (`make lab`); `c` is its configuration."""

from ledger.lab import keep_outputs

c = get_config()  # noqa: F821
c.FileContentsManager.pre_save_hook = keep_outputs
