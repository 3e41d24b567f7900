"""How things are drawn as text on a terminal: what the command line and the live screen share."""
