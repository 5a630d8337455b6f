"""Structural equation models: from lavaan's model syntax to estimates, errors and fit."""
