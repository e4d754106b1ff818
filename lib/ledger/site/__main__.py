"""`python -m ledger.site`: write the site."""

import sys

from ledger.site.build import main

sys.exit(main())
