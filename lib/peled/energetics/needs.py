"""What recomputing the kept energies needs, and what of it is absent; reading them needs none of
it.
"""

from __future__ import annotations

import importlib.util
import shutil

#: By calculation: importable packages, then programs.
NEEDS = {
    "molecules/*, tight_binding/*": (("tblite", "rdkit"), ("xtb",)),
    "lead/*": (("tblite", "rdkit", "pyscf"), ("xtb",)),
    "espresso/*": ((), ("pw.x", "ld1.x")),
}
_INSTALL = "packages: make energetics-env; programs: Debian's quantum-espresso and xtb"


def needed() -> str:
    """What each group of calculations needs and what installs it."""
    return "\n".join(
        [
            *(
                f"{group:30s} {', '.join(packages + programs)}"
                for group, (packages, programs) in NEEDS.items()
            ),
            _INSTALL,
        ]
    )


def absent() -> str:
    """What of it is not installed here."""
    lines = []
    for group, (packages, programs) in NEEDS.items():
        missing = [p for p in packages if importlib.util.find_spec(p) is None] + [
            p for p in programs if shutil.which(p) is None
        ]
        lines.append(
            f"{group:30s} {', '.join(missing) + ' not installed here' if missing else 'all there'}"
        )
    return "\n".join([*lines, _INSTALL])
