"""The page without a server for tests: its contents, made once; Node.js with its scripts and models; the one file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from audioformer import AudioformerError


@pytest.fixture(scope="session")
def exporter():
    """What makes a page is installed here."""
    pytest.importorskip("onnxscript", reason='needs onnx: pip install "audioformer[web]"')
    from audioformer_app.web import runtime

    try:
        runtime.runtime_files()
    except AudioformerError as error:
        pytest.skip(f"{error}")


@pytest.fixture(scope="session")
def parts(exporter) -> dict[str, bytes]:
    """All contents of a page: what takes long is done once."""
    del exporter
    from audioformer_app.web import site

    return {name: make() for _, name, make in site.contents("esc10")}


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """Runs JavaScript that may import the modules of the page: `data` is given to it, `result` comes back."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs Node.js: install it from nodejs.org or your system's packages")
    from audioformer_app.web import site

    folder = tmp_path_factory.mktemp("scripts")
    for name, text in site.scripts_of(*site.FIRST_SCRIPTS).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}')

    def run(script: str, data, more: dict[str, bytes] | None = None):
        for name, content in (more or {}).items():
            (folder / name).write_bytes(content)
        (folder / "data.json").write_text(json.dumps(data))
        (folder / "run.js").write_text(
            'import fs from "node:fs";\nconst data = JSON.parse(fs.readFileSync("data.json"));\n'
            f'{script}\nfs.writeFileSync("out.json", JSON.stringify(result));\n'
        )
        done = subprocess.run([program, "run.js"], cwd=folder, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads((folder / "out.json").read_text())

    return run


MODELS = """
import * as ort from "./runtime.js";
import { Codec, Stream, joined } from "./codec.js";
import { Classifier } from "./reading.js";
import { encoding, labelling, session } from "./graphs.js";
const site = JSON.parse(fs.readFileSync("site.json"));
ort.env.wasm.wasmBinary = fs.readFileSync("runtime.wasm");
ort.env.wasm.numThreads = 1;
const open = (name) => session(fs.readFileSync(`${name}.onnx`));
const codec = new Codec({ encode: encoding(await open("encoder"), site.codec.memory) }, site.codec);
const classifier = new Classifier(labelling(await open("classifier"), site.classifier.sizes), site.classifier);
"""


@pytest.fixture(scope="session")
def models(parts, node):
    """Runs JavaScript that has the `codec`, `classifier` and `site` of the page, with its WebAssembly."""
    graphs = (f"{name}.onnx" for name in ("encoder", "classifier", "guesser"))
    needed = (*graphs, "weights.bin", "runtime.wasm", "site.json")
    more = {name: parts[name] for name in needed}
    more["runtime.js"] = parts["scripts/runtime.js"]
    return lambda script, data, sent=None: node(MODELS + script, data, {**more, **(sent or {})})


@pytest.fixture(scope="session")
def one_file(parts, tmp_path_factory) -> Path:
    """The one file, alone in a folder."""
    from audioformer_app.web import site

    folder = tmp_path_factory.mktemp("stick")
    site.write_one_file(folder, parts)
    return folder / site.ONE_FILE
