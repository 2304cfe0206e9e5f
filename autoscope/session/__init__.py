"""The runner around the survey."""
