"""PyTorch's operations as layers of the graph: `lowering.model.lower` is the way in."""
