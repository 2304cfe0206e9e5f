"""A session under a learned policy: the network sets the design of each draw, chance picks the fields."""

from __future__ import annotations

from pathlib import Path

from autoscope.survey import (
    DESIGN_OBSERVATION,
    DESIGN_OPTIONS,
    Design,
    Proposal,
    SurveyView,
    design_masks,
    design_observation,
    proposal_of,
    rule_design,
)
from autoscope.survey.design import PILOT_FIELDS
from autoscope_policies.learned.files import LearnedNetwork, read_policy
from autoscope_policies.learned.layout import Choice, Layout


def design_layout() -> Layout:
    """What a policy of ``autoscope/Survey-v0``, and of a session, sees and chooses."""
    return Layout(
        DESIGN_OBSERVATION,
        tuple(
            Choice(name, tuple(f"{option:g}" for option in options))
            for name, options in DESIGN_OPTIONS.items()
        ),
    )


class Learned:
    """The policy that a trained network steers: it sets the parameters of every draw.

    Propensities stay exact and intervals honest whatever the network says, because it chooses between
    designs of draws, never fields (:mod:`autoscope.survey.design`).

    Args:
        weights: file that ``autoscope train`` wrote.
        pilot: fields before the predicted spread is believed.

    Raises:
        ModelError: the file cannot be used, or was trained for something else.
    """

    name = "learned"
    floored = True

    def __init__(self, weights: str, pilot: int = PILOT_FIELDS) -> None:
        self.learned: LearnedNetwork = read_policy(Path(weights), design_layout())
        self.sha256, self._pilot = self.learned.sha256, pilot

    @property
    def yields_always(self) -> bool:
        """Whether the network is trusted with nothing: the policy does what the rule does."""
        deference = self.learned.card.deference
        return deference is not None and not deference.trusted

    def propose(self, view: SurveyView) -> Proposal:
        """A draw of the design that the network chooses, with what the rule would have chosen."""
        seen, rule = design_observation(view), rule_design(view)
        design = Design.of(self.learned.choose(seen, design_masks(view), rule.action))
        return proposal_of(design, view, self._pilot, _explained(design, rule, len(view.past) < self._pilot))


def _explained(design: Design, rule: Design, pilot: bool) -> str:
    """One clause for the report: what was chosen, and what the rule would have chosen where that differs."""
    chosen, usual = design.said(pilot), rule.said(pilot)
    said = f"the learned policy chose {chosen}"
    return f"{said}, as the rule does" if chosen == usual else f"{said}; the rule: {usual}"
