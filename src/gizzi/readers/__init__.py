"""Pure readers: hostile bytes, JSON and text in; plain values out. No I/O, no clock, no settings."""
