"""``python -m anyview`` is the command line."""

import sys

from anyview.cli.main import main

sys.exit(main())
