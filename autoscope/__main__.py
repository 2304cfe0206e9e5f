"""``python -m autoscope``."""

import sys

from autoscope.app.cli import main

sys.exit(main())
