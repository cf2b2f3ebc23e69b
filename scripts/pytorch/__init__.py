"""What is compared with timm, torchvision, pretrainedmodels and huggingface_hub, in the environment of PyTorch."""
