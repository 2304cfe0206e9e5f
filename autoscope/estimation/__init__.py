"""Design-based estimators, intervals and stereology."""
