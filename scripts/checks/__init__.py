"""What needs little more than Pillow: images, how they are decoded, and the counting of rows."""
