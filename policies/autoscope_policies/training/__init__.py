"""Training of policies by Stable-Baselines3: environments are handed in, a policy file comes out.

`autoscope_policies.training.trainer` imports torch; what is here does not.
"""

from autoscope_policies.training.problem import Chooser, Problem
from autoscope_policies.training.settings import LearningSettings

__all__ = ["Chooser", "LearningSettings", "Problem"]
