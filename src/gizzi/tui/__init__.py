"""`gizzi top`: the live screen. What it shows comes from a daemon and the store, or from an app of its own; it decides nothing."""
