"""The watcher: a small model looks at the fleet, may open low or medium incidents, and is measured by what became of them."""
