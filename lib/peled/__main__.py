"""`python -m peled`."""

from peled.cli import main

main(prog_name="peled")
