"""A traced Keras model as the layers of a graph file."""
