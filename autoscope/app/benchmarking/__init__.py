"""Policies side by side on specimens whose truth is known."""
