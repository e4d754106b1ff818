from peled.simulate.nmr import main

main()
