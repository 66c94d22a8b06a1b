"""The simulated pen: firmware, physics, faults and the ways to reach it."""
