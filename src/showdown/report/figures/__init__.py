"""The pictures of a comparison: one file a figure, one line each in the gallery, one design system for all."""
