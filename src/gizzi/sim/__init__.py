"""A simulated fleet: in virtual time for scenarios and tests, on loopback for the demo and benchmarks."""
