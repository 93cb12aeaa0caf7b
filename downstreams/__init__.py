"""Heads that turn layered features into class logits."""
