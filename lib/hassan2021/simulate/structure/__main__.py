import sys

from hassan2021.simulate.structure.files import main

sys.exit(main())
