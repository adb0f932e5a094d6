"""`python -m einback` is the command line."""

from einback.cli import main

if __name__ == "__main__":
    main()
