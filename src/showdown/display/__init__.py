"""Showing how a comparison goes."""
