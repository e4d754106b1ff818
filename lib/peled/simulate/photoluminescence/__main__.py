"""`python -m peled.simulate.photoluminescence`: write all files of data/photoluminescence."""

from peled.simulate.photoluminescence import main

if __name__ == "__main__":
    main()
