"""onnxruntime-web, which runs the graphs in a browser: fetched from npm when a page is made, kept for the next one.

Its files are 14 MB, so they do not travel with the kit. `npm pack` fetches the package once, into the user's cache; its
content is compared with a hash that stands here. Without internet, a package that was fetched elsewhere can be given.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from audioformer.errors import AudioformerError

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web-{VERSION}.tgz"
SHA512 = (  # of the package, as the npm registry states it
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
SCRIPT, BINARY = "package/dist/ort.wasm.bundle.min.mjs", "package/dist/ort-wasm-simd-threaded.wasm"
TIMEOUT_S = 600


def runtime_files(package: str | os.PathLike | None = None) -> tuple[str, bytes]:
    """The script and the WebAssembly of onnxruntime-web.

    Args:
        package: file `onnxruntime-web-1.30.0.tgz`; None: the cached one, or from npm.

    Returns:
        JavaScript of one ES module, and the bytes of the WebAssembly that it runs.

    Raises:
        AudioformerError: neither in the cache nor to be had, or not the package that is meant.
    """
    path = Path(package) if package is not None else cached()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AudioformerError(f"{path}: cannot be read ({error.strerror}); give the file {PACKAGE}") from error
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != SHA512:
        raise AudioformerError(f"{path}: is not {PACKAGE} of npm (another hash); delete it and fetch it again")
    with tarfile.open(path) as archive:
        script, binary = (archive.extractfile(name).read() for name in (SCRIPT, BINARY))
    return script.decode(), binary


def cached() -> Path:
    """The package in the user's cache, fetched first if it is not there.

    Raises:
        AudioformerError: npm is not there, or cannot reach its registry.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "audioformer"
    path = cache / PACKAGE
    if path.is_file():
        return path
    otherwise = f"fetch {PACKAGE} from the npm registry elsewhere, then give it: --runtime {PACKAGE}"
    if os.environ.get("AUDIOFORMER_OFFLINE", "") not in ("", "0"):
        raise AudioformerError(
            f"onnxruntime-web is not in {cache} and AUDIOFORMER_OFFLINE forbids to fetch it; {otherwise}"
        )
    npm = shutil.which("npm")
    if npm is None:
        raise AudioformerError(
            f"a page needs onnxruntime-web from npm, and there is no npm; install Node.js, or {otherwise}"
        )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            subprocess.run(
                [npm, "pack", "--silent", f"onnxruntime-web@{VERSION}"],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
            )
            os.replace(Path(folder) / PACKAGE, path)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        reason = said[-1][:200] if said else type(error).__name__
        raise AudioformerError(
            f"onnxruntime-web could not be fetched from npm ({reason}); go online, or {otherwise}"
        ) from error
    return path
