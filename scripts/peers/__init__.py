"""This program and others on the same network, in turn: the `bench_*.py`, and what they are made of."""
