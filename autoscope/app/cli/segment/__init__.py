"""``autoscope segment``: one module for each of its commands."""
