"""What will break next, and when: forecasts made from what was kept, and compared with what came."""
