"""Any Keras model as the flat list of calls of library layers and operations that it makes."""
