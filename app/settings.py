"""Limits of the app, and what must be said to Gradio and its friends before they are imported.

Nothing leaves this machine: no usage statistics, no hub look-ups, no fonts or scripts from elsewhere.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from audioformer.errors import AudioformerError

SHOWN_S = 30.0  # longest stretch that is analysed, seconds
MAX_FILE_MB = 50
STATIC = Path(__file__).parent / "static"
HERE = ("127.0.0.1", "localhost")
OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",  # any value but "True" switches it off
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "AUDIOFORMER_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}


def go_offline() -> None:
    """Set the variables that keep Gradio and the hub client from calling out; call before importing Gradio."""
    os.environ.update(OFFLINE)
    named = ",".join(os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY")).split(",")
    beside = dict.fromkeys(name for name in named if name and name not in HERE)
    # Gradio's launch asks its own server, never through a proxy; where both names are set, no_proxy is the one that
    # counts
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join([*beside, *HERE])


def own_temporary_folder(port: int) -> Path:
    """An empty folder for uploads and recordings, ours alone; what an earlier run on this port left there is deleted.

    Args:
        port: only one app can hold it, so no running app can own the same folder.

    Returns:
        Path of the folder, also set as GRADIO_TEMP_DIR.

    Raises:
        AudioformerError: it cannot be made, or somebody else owns it.
    """
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    base = Path(tempfile.gettempdir()) / f"audioformer-app-{user}"
    folder = base / str(port)
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        about = base.lstat()
        if not stat.S_ISDIR(about.st_mode) or (hasattr(os, "getuid") and about.st_uid != os.getuid()):
            raise AudioformerError(
                f"{base}: belongs to somebody else; delete it, or set TMPDIR to a folder of your own"
            )
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise AudioformerError(
            f"{folder}: cannot be written ({error.strerror}); set TMPDIR to another folder"
        ) from error
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder
