"""Publish a checkpoint on the Hugging Face Hub; `checkpoint.py` reads it from there."""

from __future__ import annotations

import os
from pathlib import Path

from audioformer.checkpoint import HUB_FILES, load_checkpoint
from audioformer.errors import AudioformerError


def push_to_hub(folder: str | os.PathLike, repo_id: str, private: bool = True, api=None) -> str:
    """Publish a checkpoint on the Hugging Face Hub; `audioformer.load(repo_id)` then reads it.

    Args:
        folder: whole checkpoint; only its config, weights and card are sent, never a training state.
        repo_id: "user/model"; made if missing.
        private: whether a new repository is closed to others.
        api: a `huggingface_hub.HfApi`, for another server or token; None uses the one you are logged in to.

    Returns:
        Commit on the hub.

    Raises:
        AudioformerError: no checkpoint, huggingface_hub is missing, or the hub refuses.
    """
    folder = Path(folder)
    load_checkpoint(folder)  # a damaged one is not sent
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise AudioformerError(f'{repo_id}: the hub needs `pip install "audioformer[train]"`') from error
    api = api or HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo_id, folder_path=str(folder), allow_patterns=HUB_FILES, commit_message="AudioFormer checkpoint"
        )
    except Exception as error:  # the hub client raises many kinds: offline, not logged in, no such user
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise AudioformerError(
            f"{repo_id}: the Hugging Face Hub refused ({reason}); log in with `hf auth login`"
        ) from error
    return str(getattr(done, "oid", done))
