"""What `corpora.py` is made of: two programs that decode images, and the comparison of what they say."""
