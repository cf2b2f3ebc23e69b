"""What the `bench_*.py` are made of: this program and others on the same network, in turn."""
