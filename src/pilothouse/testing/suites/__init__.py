"""Contract suites: one a port, run on every driver and backend, ours and third-party."""
