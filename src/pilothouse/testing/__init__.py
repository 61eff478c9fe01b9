"""The shipped test kit: fakes that behave, contract suites, faults, and the seeded world."""
