from hassan2021.simulate.nmr import main

main()
