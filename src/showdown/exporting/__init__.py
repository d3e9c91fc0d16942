"""Trained models in the forms that others use, each scored again on the test rows."""
