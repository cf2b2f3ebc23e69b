"""What the programs that need PyTorch share; they are called `timm_*.py`, in the folder above.

These files have an environment of their own, `requirements-torch.txt`, since
neither PyTorch nor TensorFlow is needed beside the other.
"""
