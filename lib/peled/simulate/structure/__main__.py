import sys

from peled.simulate.structure.files import main

sys.exit(main())
