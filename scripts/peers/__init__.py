"""What `bench_peers.py` and `bench_command.py` are made of: this program and others on the same network, in turn."""
