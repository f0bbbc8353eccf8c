"""The app without a server: a folder for any web host, or one file to open by double-click.

    models --graphs--> ONNX      onnxruntime-web --runtime--> script, WebAssembly      rooms, texts --here--> page

The rooms are the app's own modules and texts. In the app Gradio stands behind them and asks Python; here `page.js` does
and asks a worker, which runs the models in the visitor's browser.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from pathlib import Path

import numpy as np

from audioformer.audio import load_audio
from audioformer.classify import AudioClassifier, load
from audioformer.codecs import compact
from audioformer.errors import AudioformerError
from audioformer.explain.codebook import HOLD_S
from audioformer.explain.switches import sizes
from audioformer.files import atomic_path, writable_folder
from audioformer.model import AudioFormer
from audioformer.plots.codes import colour_ranks
from audioformer.start import load_pretrained
from audioformer.widgets import lanes, modules
from audioformer_app import samples, settings, texts
from audioformer_app.answers import words
from audioformer_app.tour import TOUR
from audioformer_app.web import graphs, lessons
from audioformer_app.web.runtime import runtime_files

STATIC = Path(__file__).parent / "static"
FIRST_SCRIPTS = ("page.js", "engine.js")  # of the page, and of its worker
RUNTIME_SCRIPT = "runtime.js"
IMPORT = re.compile(r'^import [^"]*"\./([\w/]+\.js)";$', re.MULTILINE)
ROOMS = {
    "Listen": "<div id='af-view'><div class='af-listen'></div></div>",
    "Mask": "<div id='af-mask'><div class='af-room'></div></div>",
    "Switches": "<div id='af-switches'><div class='af-room'></div></div>",
    "Attention": "<div id='af-attention'><div class='af-room'></div></div>",
    "Live": "<div id='af-live'><div class='af-room'></div></div>",
    "Teach": "<div id='af-teach'><div class='af-room'></div></div>",
}
HELP = {  # what stands under "What am I looking at?"
    "listen": (texts.PICTURES, texts.CODES, texts.LABEL),
    "mask": (texts.MASKING, texts.GUESSING, texts.FILLING),
    "switches": (texts.SWITCHES, texts.SWITCHES_UNITS, texts.SWITCHES_LIMITS),
    "attention": (texts.ATTENTION, texts.ROLLOUT, texts.ATTENTION_LIMITS),
    "live": (texts.LIVE, texts.LIVE_WINDOW, texts.LIVE_LIMITS),
    "teach": (texts.TEACH, texts.TEACH_HOW, texts.TEACH_LIMITS),
}
STYLES = ("style.css", "flow.css", "tour.css")  # of the app
GUESSER = "pretrained"
MOST_SAMPLES = 12
ONE_FILE = "audioformer.html"
KEEPER = "offline.js"  # the service worker; it stands beside the page, whose files it keeps
# what the page may load: itself. WebAssembly and the addresses that it makes for its own scripts count as scripts.
POLICY = (
    "default-src 'none'; script-src {own} 'unsafe-inline' 'wasm-unsafe-eval' blob: data:; worker-src {own} data: blob:;"
    " style-src 'unsafe-inline'; img-src {own} data: blob:; media-src blob: data:; connect-src {own} blob: data:"
)


def make_site(
    folder: str | os.PathLike,
    checkpoint: str | os.PathLike = "esc10",
    one_file: bool = False,
    runtime: str | os.PathLike | None = None,
) -> Iterator[str]:
    """Write the page.

    Args:
        folder: made if missing; files of an earlier page in it are replaced.
        checkpoint: bundled name or folder of the classifier that listens.
        one_file: `audioformer.html` alone, with everything in it; False: a folder to be served.
        runtime: package of onnxruntime-web that was fetched elsewhere, see `runtime.runtime_files`.

    Yields:
        What is being done, in words.

    Raises:
        AudioformerError: a checkpoint that cannot run in a page, a folder that cannot be written, no onnxruntime-web.
    """
    folder = writable_folder(folder)
    data: dict[str, bytes] = {}
    for what, name, content in contents(checkpoint, runtime):
        yield what
        data[name] = content()
    if one_file:
        write_one_file(folder, data)
    else:
        write_folder(folder, data)


def contents(
    checkpoint: str | os.PathLike, runtime: str | os.PathLike | None = None
) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """What a page is made of; arguments and errors as `make_site`.

    Yields:
        What it is, in words; its path on the page; and how to make it, which may take a minute.
    """
    script, binary = runtime_files(runtime)
    yield "onnxruntime-web", "runtime.wasm", lambda: binary
    yield "its script", f"scripts/{RUNTIME_SCRIPT}", script.encode
    classifier = load(checkpoint)
    if not isinstance(classifier.codec, compact.CompactCodec):
        raise AudioformerError(
            f"{checkpoint}: reads codes of {classifier.codec.name}; a page has the codec compact only"
        )
    codec = classifier.codec
    yield "encoder as a graph", "encoder.onnx", lambda: graphs.encoder_graph(codec)
    yield "decoder as a graph", "decoder.onnx", lambda: graphs.decoder_graph(codec)
    graph = cache(lambda: graphs.classifier_graph(classifier.classifier))
    lesson = cache(lambda: lessons.lesson(classifier, graph()))
    yield "classifier as a graph", "classifier.onnx", graph
    guesser = _guesser(classifier)
    if guesser:
        yield "the model that guesses, as a graph", "guesser.onnx", lambda: graphs.guesser_graph(guesser[0])
    about, sounds = _about(classifier)
    about["guesser"] = guesser and guesser[1]
    yield "texts", "site.json", lambda: json.dumps({**about, "lesson": lesson()[0]}).encode()
    yield "weights that no graph holds", "weights.bin", lambda: lesson()[1]
    for path in sounds:
        yield "samples", f"samples/{path.name}", path.read_bytes
    for path in sorted(settings.STATIC.glob("language_*.json")):
        yield "languages", f"scripts/{path.name}", path.read_bytes
    for name, text in scripts_of(*FIRST_SCRIPTS).items():
        yield "scripts", f"scripts/{name}", text.encode


def write_folder(folder: Path, data: dict[str, bytes]) -> None:
    """A page of many files, for a web host; `data` are its contents by path."""
    shutil.rmtree(folder / "scripts", ignore_errors=True)
    data = {**data, "index.html": _page(data, "", "site_of_files.js", "'self'").encode()}
    hashes = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in data.items()}
    worker = (STATIC / KEEPER).read_text(encoding="utf-8").replace('"{{files}}"', json.dumps(hashes))
    for name, content in {**data, KEEPER: worker.encode()}.items():
        _write(folder / name, content)


def write_one_file(folder: Path, data: dict[str, bytes]) -> None:
    """The page as one file, `audioformer.html`; `data` are its contents by path."""
    files = "".join(_element(name, content) for name, content in data.items())
    _write(folder / ONE_FILE, _page(data, files, "one_file.js", "").encode())


def scripts_of(*names: str) -> dict[str, str]:
    """Modules and all that they import, by their path on the page: the page's own, the app's, and the widgets'.

    Raises:
        AudioformerError: an import that names no module.
    """
    found: dict[str, str] = {}

    def add(name: str) -> None:
        if name in found or name == RUNTIME_SCRIPT:
            return
        place = modules.STATIC / name.removeprefix("widgets/") if name.startswith("widgets/") else STATIC / name
        place = place if place.is_file() else settings.STATIC / name
        if not place.is_file():
            raise AudioformerError(f"{name}: no such module of the page")
        found[name] = place.read_text(encoding="utf-8")
        for needed in IMPORT.findall(found[name]):
            add(str(Path(name).parent / needed).replace(os.sep, "/"))

    for name in names:
        add(name)
    return found


def _guesser(classifier: AudioClassifier) -> tuple[AudioFormer, dict] | None:
    """The bundled model that guesses hidden codes, and what the page knows of it; None: it knows other codes."""
    model, config = load_pretrained(GUESSER)
    if config["codec"]["fingerprint"] != classifier.codec.fingerprint:
        return None
    return model, {
        "name": GUESSER,
        "n_codebooks": model.config.n_codebooks,
        "codebook_size": model.config.codebook_size,
        "window": round(config.get("recipe", {}).get("crop_s", 5.0) * classifier.codec.frame_rate),
        "same_frames": model.config.rows == "summed",
    }


def _about(classifier: AudioClassifier) -> tuple[dict, list[Path]]:
    """What the page knows besides the models (`site.json`), and the sound files of its samples."""
    codec, c = classifier.codec, classifier.codec.config
    names = set(map(words, classifier.label_names))
    offered = samples.list_samples()
    offered = ([one for one in offered if one.label in names] or offered)[:MOST_SAMPLES]
    ranks = colour_ranks(codec.codebooks().cpu())
    about = {
        "sentence": texts.SENTENCE,
        "tour": [{**step, "readable": False} for step in TOUR],
        "samples": [
            {
                "label": one.label,
                "file": one.path.name,
                "thumbnail": one.thumbnail,
                "events": _events(one),
                "codes": codec.encode(load_audio(one.path))[0].tolist(),
            }
            for one in offered
        ],
        "checkpoint": Path(classifier.name).name,
        "codec": {
            "frames": {
                "sample_rate": codec.sample_rate,
                "hop_length": codec.hop_length,
                "n_mels": c.n_mels,
                "lowest": compact.LOWEST,
                "power": compact.POWER,
                "quietest": compact.QUIETEST,
            },
            "memory": [c.n_encoder_blocks, 1, c.kernel - 1, c.d_encoder],
            "before": c.n_decoder_blocks * (c.kernel - 1 - c.decoder_look_ahead) + 1,
            "after": c.n_decoder_blocks * c.decoder_look_ahead + 1,
            "n_codebooks": codec.n_codebooks,
            "codebook_size": codec.codebook_size,
            "kbps": codec.bandwidth_kbps(1),
            "hold_s": HOLD_S,
        },
        "classifier": {
            "labels": classifier.label_names,
            "window": classifier.window,
            "multi_label": classifier.multi_label,
            "n_codebooks": classifier.classifier.config.n_codebooks,
            "codebook_size": codec.codebook_size,
            "frame_rate": codec.frame_rate,
            "group": classifier.classifier.config.subsampling,
            "sizes": {**sizes(classifier), "norms": _norms(classifier)},
        },
        "picture": {
            "sample_rate": codec.sample_rate,
            "n_fft": lanes.N_FFT,
            "hop": lanes.MEL_HOP,
            "n_mels": lanes.N_MELS,
        },
        "shades": lanes.packed(np.round(ranks * (255 / (codec.codebook_size - 1)))),
    }
    return about, [one.path for one in offered]


def _norms(classifier: AudioClassifier) -> list[list[float]]:
    """How long the vector is that each feed-forward unit adds, by block."""
    layers = [block.contract for block in classifier.classifier.backbone.encoders[0].blocks]
    weights = [getattr(layer, "linear", layer).weight.detach() for layer in layers]  # an adapter stands around it
    return [[round(norm, 4) for norm in weight.norm(dim=0).tolist()] for weight in weights]


def _events(sample: samples.Sample) -> list[dict]:
    return [{"label": label, "start_s": start, "end_s": end} for label, start, end in sample.events]


def _page(data: dict[str, bytes], files: str, loader: str, own: str) -> str:
    """The page: `index.html` with its style, tabs, the rooms that `data` serve, and the script that finds its files."""
    shown = [name for name in ROOMS if name != "Mask" or "guesser.onnx" in data]
    style = modules.style()
    style += "".join(
        (settings.STATIC / name).read_text(encoding="utf-8") for name in ("style.css", "flow.css", "tour.css")
    )
    tabs = [
        f'<button type="button" role="tab" data-tab-id="{name.lower()}" id="af-tab-{name.lower()}" '
        f'aria-controls="af-room-{name.lower()}">{name}</button>'
        for name in shown
    ]
    rooms = [
        f'<section role="tabpanel" id="af-room-{name.lower()}" aria-labelledby="af-tab-{name.lower()}">'
        f"{ROOMS[name]}{_help(name.lower())}</section>"
        for name in shown
    ]
    values = {
        "policy": POLICY.format(own=own).replace("  ", " "),
        "style": style + (STATIC / "page.css").read_text(encoding="utf-8"),
        "tabs": "".join(tabs),
        "rooms": "\n".join(rooms),
        "files": files,
        "loader": (STATIC / loader).read_text(encoding="utf-8"),
    }
    template = (STATIC / "index.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def _help(room: str) -> str:
    """What one is looking at: the app's texts, their Markdown as HTML and their equations as MathML."""
    shown = "\0".join(HELP[room])
    for text, here in texts.WITHOUT_SERVER.items():
        shown = shown.replace(text, here)
    columns = "".join(f"<div>{_html(text)}</div>" for text in shown.split("\0"))
    return (
        "<details class='af-help'><summary>What am I looking at?</summary>"
        f"<div class='af-help-columns'>{columns}</div>{_html(texts.KEYS)}</details>"
    )


def _html(text: str) -> str:
    """Markdown with equations between dollar signs to HTML.

    Raises:
        AudioformerError: what is needed for it is not installed.
    """
    try:
        from latex2mathml.converter import convert
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise AudioformerError('a page of models needs markdown-it-py: pip install "audioformer[web]"') from error
    equations: list[str] = []

    def put_away(match: re.Match) -> str:
        display = "block" if match[1] else "inline"
        latex = (match[1] or match[2]).replace(r"\arg\min", r"\mathrm{arg\,min}")
        equations.append(convert(latex, display=display))
        return f"EQUATION{len(equations) - 1}HERE"

    text = re.sub(r"\$\$(.+?)\$\$|\$(.+?)\$", put_away, text, flags=re.DOTALL)
    return re.sub(r"EQUATION(\d+)HERE", lambda match: equations[int(match[1])], MarkdownIt().render(text))


def _element(name: str, content: bytes) -> str:
    """A file inside the page: compressed, in base64, where no script reads it by itself."""
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return f'<script type="text/plain" id="file:{escape(name)}">{packed}</script>\n'


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
