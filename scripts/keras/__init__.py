"""The reference networks in Keras, and the programs that train, export and run them."""

import os

# The reference is Keras on TensorFlow, whatever the user's own Keras is set to;
# below log level 2 TensorFlow tells everybody about its build.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
