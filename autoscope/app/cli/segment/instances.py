"""``autoscope segment instances``."""

from __future__ import annotations

import argparse
import json
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Finds, measures and draws single things of a class."""
    from autoscope.perception import read_card
    from autoscope.perception.instance_files import write_instances
    from autoscope.perception.instances import InstanceSettings

    name = options.class_name
    if name is None:
        classes = [c for c in read_card(options.model).classes[1:] if c != options.rim]
        if len(classes) != 1:
            raise ConfigurationError(f"name the class with --class: one of {', '.join(classes)}")
        name = classes[0]
    settings = InstanceSettings(
        class_name=name,
        rim=options.rim,
        split=options.split,
        neck=options.neck,
        min_diameter_px=options.min_diameter_px,
    )
    with WorkBar("finding instances", quiet=options.json) as bar:
        written = write_instances(
            options.model,
            options.images,
            options.output,
            settings,
            pixel_nm=options.pixel_nm,
            progress=bar.update,
        )
    if options.json:
        print(json.dumps([image.model_dump(mode="json") for image in written], indent=2))
        return OK
    table = Table("image", "instances", "cut by the edge", "median diameter", title=f"{name}")
    for image in written:
        whole = [one for one in image.instances if not one.cut]
        if image.pixel_nm is None:
            size = f"{median(one.diameter_px for one in whole):.1f} px" if whole else "-"
        else:
            size = f"{median(one.diameter_um or 0.0 for one in whole):.3g} um" if whole else "-"
        cut = len(image.instances) - len(whole)
        table.add_row(escape(image.image.name), str(len(image.instances)), str(cut), size)
    console = Console(highlight=False)
    console.print(table)
    for note in sorted({note for image in written for note in image.notes}):
        console.print(f"[yellow]note:[/] {escape(note)}")
    console.print(f"tables, numbered pictures and overlays are in {options.output}", soft_wrap=True)
    return OK
