"""The parts of the documentation that are made from the code: `docs/build.py` writes what these modules return."""
