"""A whole portal on one unprovisioned machine: for a first look, the tests, the benchmark."""
