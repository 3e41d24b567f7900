"""The built-in rules, one file for each thing that goes wrong."""
