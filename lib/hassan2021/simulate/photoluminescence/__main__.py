"""`python -m hassan2021.simulate.photoluminescence`: write all files of data/photoluminescence."""

from hassan2021.simulate.photoluminescence import main

if __name__ == "__main__":
    main()
