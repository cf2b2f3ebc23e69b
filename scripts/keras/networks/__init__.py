"""The reference networks' layers, a file a family; `reference.py` is their catalogue."""
