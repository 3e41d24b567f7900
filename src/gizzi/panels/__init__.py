"""The built-in panels. Each imports `gizzi` alone, as a plugin would."""
