"""An example of plugins in a package."""
