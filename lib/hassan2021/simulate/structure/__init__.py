"""Forward models of the structure files: what a diffractometer, a microscope and the spectrometers
would have recorded.

`python -m hassan2021.simulate.structure` writes all files of `data/structure` from fixed seeds.
"""

from hassan2021.simulate.structure.files import main

__all__ = ["main"]
