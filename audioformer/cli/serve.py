"""`audioformer app` and `lab`: the page in the browser, and the notebooks."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from audioformer.cli.console import Result, note
from audioformer.cli.options import add_options, add_verb, at_least_one
from audioformer.errors import AudioformerError

LAB_COPY = "audioformer-notebooks"
LAB_FIRST = "index.ipynb"
LAB_PARTS = ("*.ipynb", "solutions/*.ipynb", "handouts/*.md")
LAB_OFFLINE = (  # JupyterLab asks for news and newer versions otherwise
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
    "--LabApp.extension_manager=readonly",
)


def add_verbs(verbs) -> None:
    """Add `app` and `lab`."""
    app = add_verb(verbs, "app", run_app, "Serve the app until Ctrl-C.", "audioformer app --port 7861", json=False)
    app.add_argument("--open", action="store_true", help="open the page in a browser")
    about = "also answer other computers of this network, over https (default: this one only)"
    app.add_argument("--lan", action="store_true", help=about)
    about = (
        "ask visitors for a password of at least 6 letters; without WORD one is made and printed (default: no password)"
    )
    app.add_argument("--password", nargs="?", const="", metavar="WORD", help=about)
    about = "may be repeated (default: the bundled)"
    app.add_argument("--checkpoint", action="append", metavar="NAME", help=f"checkpoint to offer, {about}")
    app.add_argument("--codec", action="append", metavar="NAME", help=f"codec to offer, {about}")
    about = (
        "data set on the map: ESC-50 layout, a sub-folder for each class, or esc10 if fetched (default: the samples)"
    )
    port = (at_least_one, "N", "TCP port, 1 to 65535", 7860)
    add_options(app, {"--sounds": (str, "DIR", about), "--port": port})
    about = (
        "Open JupyterLab at the index of a copy of the notebooks, without internet: the folder audioformer-notebooks, "
        "in a clone beside the README, else here. What you write there stays; notebooks that you have not touched are "
        "renewed."
    )
    lab = add_verb(verbs, "lab", run_lab, about, "audioformer lab --port 8888", json=False)
    add_options(lab, {"--port": (at_least_one, "N", "TCP port; the next free one if taken", 8888)})
    lab.add_argument("--no-browser", action="store_true", help="only print the address")


def run_app(arguments: argparse.Namespace) -> Result:
    """Serve the page."""
    from audioformer.data.recordings import folder_of
    from audioformer_app import launch
    from audioformer_app.door import new_password

    password = new_password() if arguments.password == "" else arguments.password
    if password and not arguments.lan:
        note(f"any name, password: {password}")
    try:
        launch(
            port=arguments.port,
            lan=arguments.lan,
            open_browser=arguments.open,
            codecs=arguments.codec,
            checkpoints=arguments.checkpoint,
            password=password,
            sounds=arguments.sounds and str(folder_of(arguments.sounds)),
        )
    except KeyboardInterrupt:
        note("app stopped")
    return Result(None)


def run_lab(arguments: argparse.Namespace) -> Result:
    """Become JupyterLab (POSIX), or run it until it is closed (Windows)."""
    command = lab_command(lab_folder(), arguments.port, not arguments.no_browser)
    os.environ.update(lab_environment())
    if os.name == "posix":
        sys.stderr.flush()
        os.dup2(sys.stderr.fileno(), 1)
        os.execv(command[0], command)
    status = subprocess.run(command).returncode
    if status:
        raise AudioformerError(f"JupyterLab ended with status {status}; its own message is above")
    return Result(None)


def lab_command(folder: Path, port: int, browser: bool) -> list[str]:
    """The command that starts JupyterLab in a folder.

    Raises:
        AudioformerError: JupyterLab is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("jupyterlab") is None:
        raise AudioformerError('JupyterLab is not installed; run `pip install "audioformer[notebooks]"`')
    first = [f"--LabApp.default_url=/lab/tree/{LAB_FIRST}"] if (folder / LAB_FIRST).is_file() else []
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # as in most containers; JupyterLab needs --allow-root there
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--notebook-dir={folder}",
        "--ip=127.0.0.1",
        f"--port={port}",
        *LAB_OFFLINE,
        *first,
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if is_root else []),
    ]


def lab_environment() -> dict[str, str]:
    """Variables for JupyterLab: kernels stay offline, and there is no question about Jupyter's news."""
    from audioformer.files import PACKAGE

    settings = [str(PACKAGE / "assets" / "jupyter"), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {"AUDIOFORMER_OFFLINE": "1", "JUPYTER_CONFIG_PATH": os.pathsep.join(settings)}


def lab_folder() -> Path:
    """Folder to open: a learner's copy of the notebooks, of a clone beside its README, else in the present folder.

    A notebook that a learner has changed stays as it is; one that is still what was copied is renewed. The sources of
    the notebooks, the scripts that build them and the instructor's pages are not copied.

    Raises:
        AudioformerError: the folder cannot be written.
    """
    from audioformer.files import PACKAGE, notebooks_folder

    source = notebooks_folder()
    beside = PACKAGE not in source.parents and os.access(source.parent, os.W_OK)
    target = (source.parent if beside else Path.cwd()) / LAB_COPY
    record = target / ".copied.json"
    try:
        target.mkdir(exist_ok=True)
        copied = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        for path in sorted(path for part in LAB_PARTS for path in source.glob(part)):
            name, content = path.relative_to(source).as_posix(), path.read_bytes()
            copy = target / name
            if not copy.exists() or sha256(copy.read_bytes()).hexdigest() == copied.get(name):
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(content)
                copied[name] = sha256(content).hexdigest()
        record.write_text(json.dumps(copied, indent=1), encoding="utf-8")
    except OSError as error:
        raise AudioformerError(f"{target}: cannot be written ({error.strerror}); go to another folder first") from error
    return target
