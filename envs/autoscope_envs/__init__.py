"""Gymnasium environments around the survey."""
