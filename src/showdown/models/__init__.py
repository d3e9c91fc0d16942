"""Pretrained networks: where they come from, how they are loaded, and what their parts are called."""
