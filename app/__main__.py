"""`python -m audioformer_app`: serve the app with its defaults."""

import sys

from audioformer.errors import AudioformerError
from audioformer_app.serve import launch

if __name__ == "__main__":
    try:
        launch()
    except AudioformerError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
