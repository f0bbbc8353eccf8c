"""`python -m audioformer` is `audioformer`."""

import sys

from audioformer.cli import main

sys.exit(main())
