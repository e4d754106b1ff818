"""Run the notebooks headlessly: whole or not at all, in parallel, each only when something it read
has changed.

`python -m ledger.run` brings `figures/` up to date. A notebook's outputs are collected in
`build/stage/`, and renamed into place when every cell has passed and its results fit the schema;
then `build/records/` keeps what it read and wrote. A notebook that reads the others' results says
so in its metadata, `"peled": {"after": "all"}`, and runs when they are done.

records   what a notebook read and wrote, and whether that still holds (light: this is all that a
          run with nothing to do loads)
watch     sees what a notebook really opens, and keeps it off the network
engine    a papermill engine: one forked child a notebook, the heavy imports done once
execute   one notebook from start to published outputs
store     executes the notebooks and keeps their outputs in them
verify    holds every published figure against what it was made from
__main__  the command line and the schedule
"""
