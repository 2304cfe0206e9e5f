"""``autoscope segment familiarity``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Teaches a model what its images look like, so that it knows unfamiliar ones."""
    from autoscope.perception.familiarity_images import fit_to_folder

    with WorkBar("looking", quiet=options.json) as bar:
        card = fit_to_folder(options.model, options.images, progress=bar.update)
    fitted = card.familiarity
    if fitted is None:
        raise ConfigurationError(f"{options.model}: no familiarity was fitted")
    if options.json:
        print(json.dumps({"path": str(options.model), "sha256": card.sha256, **fitted.model_dump()}))
        return OK
    print(
        f"{options.model}: familiar are frames like {fitted.windows} windows of {fitted.window_px} px of"
        f" {fitted.images} images; suspicious is what {100 * fitted.suspicious_rate:g} % of new images have"
        f" somewhere, foreign what {100 * fitted.foreign_rate:g} % of windows would be (extrapolated)"
    )
    if fitted.suspicious_extrapolated:
        print("there are too few images for that share: the largest score of all is the edge of suspicion")
    return OK
