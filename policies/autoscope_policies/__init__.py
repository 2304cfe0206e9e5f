"""Policies that choose fields: baselines now, learned ones later."""
