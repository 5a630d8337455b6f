"""Fit indices of structural equation models: one file a family, numbers in and numbers out."""
