"""Find checkpoints by hub id or folder, and load them."""
