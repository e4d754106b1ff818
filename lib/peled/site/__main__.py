"""`python -m peled.site`: write the site."""

import sys

from peled.site.build import main

sys.exit(main())
