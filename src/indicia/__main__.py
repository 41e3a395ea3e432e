"""`python -m indicia`: the command, where its script is not on the path."""

from indicia.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
