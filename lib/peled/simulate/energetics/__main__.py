import sys

from peled.simulate.energetics.files import main

sys.exit(main())
