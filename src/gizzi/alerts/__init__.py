"""Rules turn status and history into alerts, and alerts with one cause into one incident. Pure."""
