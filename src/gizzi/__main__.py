"""`python -m gizzi` is the `gizzi` command."""

from gizzi.cli import main

if __name__ == "__main__":
    main()
