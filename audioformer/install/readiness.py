"""Is this machine ready for the kit? What is there, and what to do where something is missing.

The command `audioformer check` and notebook 00 show the same findings. Nothing is downloaded, nothing is written.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from audioformer.errors import AudioformerError

OK, NOTE, WRONG = "ok", "note", "wrong"
EXTRAS = {"app": "the app", "notebooks": "the notebooks", "train": "training"}
PAGES = {  # a file that page and notebooks cannot do without
    "plotly": "package_data/plotly.min.js",
    "gradio": "templates/frontend/index.html",
    "jupyterlab": "static/index.html",
}
REINSTALL = "install audioformer again, or clone the repository once more"
SLOW_S, SCARCE_BYTES, TIMEOUT_S = 2.0, 1e9, 15.0
ALSA = Path("/proc/asound/pcm")
_connections: list[str] = []
_watching: list[bool] = []


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        name: what was checked.
        state: "ok", "note" (works, but know this) or "wrong" (does not work).
        found: what is there.
        advice: what to do; "" if nothing.
    """

    name: str
    state: str
    found: str
    advice: str = ""


Answer = tuple[str, str] | tuple[str, str, str]  # a finding without its name


def examine(port: int = 7860) -> Iterator[Finding]:
    """Check everything, one finding after the other; a check that fails is itself a finding.

    Args:
        port: TCP port the app is to take.

    Raises:
        AudioformerError: the port is no port.

    Example:
        >>> next(examine()).name
        'python'
    """
    checks: dict[str, Callable[[], Answer]] = {"python": check_python, "packages": check_packages}
    checks |= {f"packages: {extra}": partial(check_packages, extra) for extra in EXTRAS}
    checks |= {"sound output": check_output, "microphone": check_microphone, "samples": check_samples}
    checks |= {"models": check_models, "speed": check_speed, "offline": check_offline, "notebooks": check_notebooks}
    checks |= {"recordings": check_recordings, "port": partial(check_port, port), "disk": check_disk}
    require_port(port)
    for name, check in checks.items():
        try:
            yield Finding(name, *check())
        except AudioformerError as error:
            yield Finding(name, WRONG, str(error), REINSTALL)


def check_python() -> Answer:
    """Version and word length of the interpreter."""
    bits = 64 if sys.maxsize > 2**32 else 32
    system = f"{platform.system()} {platform.machine()}"
    found = f"{platform.python_version()}, {bits} bit, {system}, audioformer {metadata.version('audioformer')}"
    if bits == 32:
        return WRONG, found, "PyTorch needs a 64 bit Python: install one and set up again"
    return OK, found


def check_packages(extra: str | None = None) -> Answer:
    """Whether what audioformer requires is installed in versions that fit.

    Args:
        extra: one of EXTRAS; None: what everything needs.
    """
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:
        return NOTE, "not compared", "pip install packaging, and look again"
    found, missing, wrong = [], [], []
    for requirement in map(Requirement, metadata.requires("audioformer") or []):
        always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if always != (extra is None) or not (always or requirement.marker.evaluate({"extra": extra})):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing.append(requirement.name)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement.name} {version}")
        else:
            wrong.append(f"{requirement.name} {version} does not fit {requirement.specifier}")
    fix = f'pip install "audioformer{f"[{extra}]" if extra else ""}"'
    if wrong or (missing and not extra):
        return WRONG, "; ".join([*wrong, *(f"{package} is missing" for package in missing)]), fix
    if missing:
        return NOTE, f"missing: {', '.join(missing)}", f"for {EXTRAS[extra]}: {fix}"
    return OK, ", ".join(found)


def check_output() -> Answer:
    """Devices that play sound. Only ears can tell whether they do: notebook 00 and the app play some."""
    outputs, _ = sound_devices()
    if outputs is None:
        return NOTE, "cannot be counted here", "play a sample in the app, and see that you hear it"
    if outputs == 0:
        advice = "sound plays in the browser: it can be on another computer; else connect loudspeakers or headphones"
        return NOTE, "no device on this computer", advice
    return OK, f"{outputs} device{'s' * (outputs > 1)}"


def check_microphone() -> Answer:
    """Devices that record sound, and under which addresses browsers allow them."""
    _, inputs = sound_devices()
    rule = "browsers ask once for permission, and only at http://localhost or https (`audioformer app --lan`)"
    if inputs:
        return OK, f"{inputs} device{'s' * (inputs > 1)} on this computer", rule
    found = "cannot be counted here" if inputs is None else "no devices on this computer"
    return NOTE, found, f"files can be dropped instead; {rule}"


def check_samples() -> Answer:
    """The bundled clips, opened one by one."""
    from audioformer.audio import load_audio

    durations_s = [load_audio(path).duration_s for path in samples()]
    return OK, f"{len(durations_s)} clips, {sum(durations_s):.0f} s"


def samples() -> list[Path]:
    """The bundled clips.

    Raises:
        AudioformerError: this installation came without them.
    """
    from audioformer.files import samples_folder

    paths = sorted((samples_folder() / "audio").glob("*.ogg"))
    if not paths:
        raise AudioformerError("there are no sample clips in this installation")
    return paths


def check_models() -> Answer:
    """Every bundled checkpoint, loaded.

    The classifiers are given a clip. Their connections to elsewhere are counted.
    """
    from audioformer.checkpoint import bundled_names, load_checkpoint
    from audioformer.classify import load

    _watch_connections()
    answers = []
    for name in bundled_names():
        if load_checkpoint(name)[1]["kind"] == "classifier":
            answer = load(name).classify(samples()[0], top_k=1)
            answers.append(f"{name} says {answer.labels[0]} ({answer.probabilities[0]:.0%})")
        else:
            answers.append(f"{name} loads")
    if not answers:
        return WRONG, "none", REINSTALL
    return OK, f"{samples()[0].name}: {', '.join(answers)}"


def check_speed() -> Answer:
    """How long the first bundled classifier takes for a clip of five seconds, second time."""
    import torch

    from audioformer.audio import load_audio
    from audioformer.checkpoint import bundled_names
    from audioformer.classify import load

    classifier = load(next(name for name in bundled_names() if name != "pretrained"))
    waveform = load_audio(samples()[0], duration_s=5.0)
    classifier.classify(waveform)
    started = time.perf_counter()
    classifier.classify(waveform)
    seconds = time.perf_counter() - started
    cores = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    found = f"{waveform.duration_s:.0f} s of sound in {seconds:.2f} s, {cores}"
    if seconds > SLOW_S:
        return NOTE, found, "close other programs: everything works, slower"
    return OK, found


def _watch_connections() -> None:
    """From now on, note every attempt of this process to reach another computer (an audit hook cannot be removed)."""
    _connections.clear()
    if not _watching:
        _watching.append(True)
        sys.addaudithook(_note_connection)


def _note_connection(event: str, arguments: tuple) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) else ""
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and host not in ("localhost", "::1", "0.0.0.0") and not str(host).startswith("127."):
        _connections.append(str(host))


def check_offline() -> Answer:
    """Whether the models answered without a connection, and whether page and notebooks bring what they show."""
    if not _watching:
        check_models()
    if _connections:
        advice = "please report it: nothing here needs a network"
        return WRONG, f"something asked for {_connections[0]}", advice
    homes = {name: importlib.util.find_spec(name) for name in PAGES}
    lacking = [name for name, home in homes.items() if home and not (Path(home.origin).parent / PAGES[name]).exists()]
    if lacking:
        return WRONG, f"{', '.join(lacking)}: scripts are missing", f"pip install --force-reinstall {' '.join(lacking)}"
    return OK, "the models answered without a connection; page and notebooks bring their own scripts"


def check_notebooks() -> Answer:
    """The notebooks that came along."""
    from audioformer.files import notebooks_folder

    names = sorted(path.name for path in notebooks_folder().glob("*.ipynb"))
    if not names:
        return WRONG, "none", REINSTALL
    return OK, f"{len(names)}, from {names[0]} on; `audioformer lab` opens them"


def check_recordings() -> Answer:
    """Real recordings for training and tests: optional, in AUDIOFORMER_DATA."""
    named = os.environ.get("AUDIOFORMER_DATA", "")
    if not named:
        return OK, "none named; optional: AUDIOFORMER_DATA=FOLDER with esc10/, fsdd/"
    if not Path(named).is_dir():
        return WRONG, f"AUDIOFORMER_DATA={named} is no folder", "correct it, or unset it"
    inside = sorted(path.name for path in Path(named).iterdir() if path.is_dir())
    return OK, f"AUDIOFORMER_DATA: {', '.join(inside) or 'empty'}"


def check_port(port: int) -> Answer:
    """Whether the app could take the port now."""
    try:
        require_free_port("127.0.0.1", port)
    except AudioformerError as error:
        found, _, advice = str(error).partition("; ")
        return WRONG, found, advice
    return OK, f"{port} is free"


def require_port(port: int) -> None:
    """Refuse a number that is no TCP port."""
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise AudioformerError(f"port={port!r} must be a whole number from 1 to 65535; try 7860")


def require_free_port(host: str, port: int) -> None:
    """Refuse a port that cannot be used, with what to do instead.

    Raises:
        AudioformerError: out of range, taken, or needing more rights.
    """
    require_port(port)
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left may be taken again at once
        try:
            probe.bind((host, port))
        except OSError as error:
            other = port + 1 if port < 65535 else 7860
            raise AudioformerError(
                f"port {port} cannot be used ({error.strerror}): perhaps another audioformer app is running; "
                f"stop it, or start this one with `audioformer app --port {other}`"
            ) from error


def check_disk() -> Answer:
    """Room for uploads and recordings."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free < SCARCE_BYTES:
        state = NOTE if free > SCARCE_BYTES / 10 else WRONG
        return state, found, "empty a folder, or set TMPDIR to another disk"
    return OK, found


def sound_devices() -> tuple[int | None, int | None]:
    """Outputs and inputs of this computer; None where they cannot be counted.

    Example:
        >>> outputs, inputs = sound_devices()
        >>> outputs is None or outputs >= 0
        True
    """
    if sys.platform == "darwin":
        command = ["system_profiler", "SPAudioDataType", "-json"]
        try:
            return count_profile(subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S).stdout)
        except (OSError, subprocess.TimeoutExpired):
            return None, None
    if sys.platform == "win32":
        import ctypes

        return ctypes.windll.winmm.waveOutGetNumDevs(), ctypes.windll.winmm.waveInGetNumDevs()
    if os.environ.get("PULSE_SERVER"):  # sound goes to another computer, or out of this virtual one
        return None, None
    return count_alsa(ALSA.read_text() if ALSA.exists() else "")


def count_alsa(listing: str) -> tuple[int, int]:
    """Outputs and inputs in the text of /proc/asound/pcm.

    Example:
        >>> count_alsa("00-00: ALC257 Analog : ALC257 Analog : playback 1 : capture 1")
        (1, 1)
    """
    lines = listing.splitlines()
    return sum(": playback" in line for line in lines), sum(": capture" in line for line in lines)


def count_profile(text: str) -> tuple[int | None, int | None]:
    """Outputs and inputs in what `system_profiler SPAudioDataType -json` prints (macOS)."""
    try:
        cards = [card for group in json.loads(text)["SPAudioDataType"] for card in group.get("_items", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, None
    return tuple(sum(f"coreaudio_device_{way}" in card for card in cards) for way in ("output", "input"))
