"""Writes the tables of README and of the pages in results/ from the stored results.

    python results/build.py            write them
    python results/build.py --check    fail when a page is not what the stored results say
    python results/build.py --sight RUNS    take in the results of scripts/train_sight.sh, then write

A table stands between `<!-- table NAME -->` and `<!-- end -->`; NAME is a key of `TABLES`. The text around tables is
written by hand.
Stored results: `audioformer/assets/results/*.json` (what `audioformer bench NAME` wrote), the scores in each
`audioformer/assets/checkpoints/*/config.json`, and the JSON files of this folder.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from audioformer.evaluation.benches import adapt, probe, sight

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parent / "audioformer" / "assets"
PAGES = [HERE.parent / "README.md", *sorted(HERE.glob("*.md"))]
MARKED = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def read(path: Path):
    """A JSON document."""
    return json.loads(path.read_text(encoding="utf-8"))


def bench(name: str) -> dict:
    """What `audioformer bench NAME` stored."""
    return read(ASSETS / "results" / f"{name}.json")


def here(name: str) -> dict:
    """A document of this folder."""
    return read(HERE / f"{name}.json")


def scores(checkpoint: str) -> list[dict]:
    """Scores of a bundled checkpoint, those of its config.json first."""
    more = [row for row in here("recipes")["rows"] if row["checkpoint"] == checkpoint]
    return read(ASSETS / "checkpoints" / checkpoint / "config.json")["scores"] + more


def table(head: list[str], rows: list[list]) -> str:
    """Markdown; None is an empty cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |" for line in lines)


def seeds(values: list[float]) -> str:
    """Scores of several training runs in one cell."""
    return "1 seed" if len(values) == 1 else "seeds " + ", ".join(f"{value:.3f}" for value in values)


def recipes(checkpoints: tuple[str, ...]) -> str:
    """Scores of bundled checkpoints with the command behind each."""
    rows = []
    for checkpoint in checkpoints:
        for score in scores(checkpoint):
            spread = score["spread"] if "spread" in score else seeds(score["seeds"])
            value = f"{score['metric']} **{score['value']:.3f}**"
            rows.append(
                [f"`{checkpoint}`", score["data"], value, spread, f"{score['chance']:.3f}", f"`{score['command']}`"]
            )
    return table(["model", "data", "score", "spread", "chance", "command"], rows)


def classic() -> str:
    """The classic method beside the recipes."""
    ours = {name: scores(name)[0]["value"] for name in ("esc10", "digits")}
    ours["known"] = scores("digits")[1]["value"]
    cells = {row["data"]: row for row in bench("ablation")["rows"] if row["row"] == "svm"}
    known = here("recipes")["classic_known_speakers"]
    command = "`audioformer bench ablation --esc10 esc10 --digits fsdd --only svm -o runs/classic`"
    rows = [
        ["ESC-10, each of four folds held out", cells["esc10"]["ours"], ours["esc10"], command],
        ["digits, each of six speakers held out", cells["digits"]["ours"], ours["digits"], "the same"],
        ["digits of known speakers, takes 5-13", known["value"], ours["known"], "the lines below"],
    ]
    rows = [[data, f"{svm:.3f}", f"{our:.3f}", "0.100", command] for data, svm, our, command in rows]
    lines = table(["data", "classic method", "recipe", "chance", "command of the classic method"], rows)
    return "\n".join([lines, "", "```python", *known["command"], "```"])


def tried(name: str) -> str:
    """The log of what was tried: when, on what, how it scored, whether it stayed."""
    rows = [
        [entry["date"], entry["tried"], entry["on"], entry["score"], entry["before"]]
        + [{True: "yes", False: "no", None: "-"}[entry["kept"]], entry.get("note")]
        for entry in here("tried")[name]
    ]
    return table(["date", "what was tried", "measured on", "score", "before", "kept", "note"], rows)


def printed(as_markdown: Callable[[dict], str], name: str) -> str:
    """The tables that the benchmark itself writes beside its results.json, without its title, and its command."""
    return as_markdown(bench(name)).strip().partition("\n\n")[2] + "\n\n" + command(name)


def command(name: str) -> str:
    """What gave the stored results of a benchmark."""
    return f"```console\n$ {bench(name)['command']}\n```"


def ablation() -> str:
    """One thing changed at a time, on both data sets."""
    cells = {(row["data"], row["row"]): row for row in bench("ablation")["rows"]}
    rows = []
    for row in dict.fromkeys(name for _, name in cells):
        line = [cells["esc10", row]["title"]]
        for data in ("esc10", "digits"):
            cell = cells[data, row]
            gain = None if cell["gain"] is None else f"{100 * cell['gain']:+.1f} ± {100 * cell['gain_error']:.1f}"
            line += [f"{cell['ours']:.3f}", gain]
        rows.append(line)
    return table(["row", "ESC-10", "gain", "digits of unseen speakers", "gain"], rows) + "\n\n" + command("ablation")


def numbers(row: dict, name: str) -> str:
    """One value, or those of several runs."""
    return row["joined"].join(f"{value:,}" for value in row[name] or [])


def speed() -> str:
    """Ours beside a package that does the same, in one run."""
    document = here("speed")
    rows = [
        [row["case"], f"{numbers(row, 'ours')} {row['unit']}", numbers(row, "peer"), row["peer_name"]]
        + [numbers(row, "ratio"), numbers(row, "limit"), document["machines"][row["machine"]], f"`{row['command']}`"]
        for row in document["rows"]
    ]
    return table(["what", "ours", "beside it", "which is", "ratio", "limit", "machine", "command"], rows)


def growth() -> str:
    """Time and memory by length of the clip."""
    rows = [[row["clip_s"], row["seconds"], row["mb"]] for row in here("speed")["growth"]["rows"]]
    return table(["clip, seconds", "time, seconds", "memory, MB"], rows)


def codec() -> str:
    """The bundled codec beside Opus."""
    rows = []
    for row in here("codec")["rows"]:
        name = "Opus" if row["codebooks"] is None else f"`compact`, {row['codebooks']}"
        line = [name, row["kbit_s"]]
        for data in ("esc10", "digits"):
            cell = row[data]
            line += [f"{cell['distance']:.3f}", cell["si_sdr_db"], f"{cell['accuracy']:.3f} ({cell['points_lost']})"]
        rows.append(line)
    head = ["codec, codebooks", "kbit/s"]
    for data in ("ESC-10", "digits"):
        head += [f"{data}: distance", f"{data}: SI-SDR, dB", f"{data}: accuracy (points lost)"]
    return table(head, rows)


def summary() -> str:
    """The five lines of README: what, result, chance, classic method, what to keep in mind."""
    esc10, unseen, known, scenes = scores("esc10")[0], scores("digits")[0], scores("digits")[1], scores("scenes")[0]
    cells = {(row["data"], row["row"]): f"{row['ours']:.3f}" for row in bench("ablation")["rows"]}
    first, second = (row["ratio"] for row in here("speed")["rows"][:2])  # one processor, then another
    rows = [
        ["ten everyday sounds (ESC-10, each fold held out in turn)", f"accuracy **{esc10['value']:.3f}**", "0.100"],
        ["spoken digits, each speaker held out in turn", f"accuracy **{unseen['value']:.3f}**", "0.100"],
        ["51 kinds of sound in synthetic scenes", f"mAP **{scenes['value']:.3f}**", f"{scenes['chance']:.3f}"],
        ["pre-training, then FT1, beside a fresh model (ESC-10)"]
        + [f"accuracy **{cells['esc10', 'ft1']}** beside {cells['esc10', 'scratch']}", "0.100"],
        ["coding with EnCodec, same codes", f"**{first[0]:.1f}** times as fast as its package", None],
    ]
    classic = [cells["esc10", "svm"], cells["digits", "svm"], None, cells["esc10", "svm"], None]
    notes = [
        "Ahead of the classic method by less than one standard error over the folds. [Recipes](results/recipes.md)",
        f"Some voices are much harder than others; known speakers {known['value']:.3f}. [Recipes](results/recipes.md)",
        "Synthetic sound only: this says nothing about recordings. [Recipes](results/recipes.md)",
        "400 steps on few clips: hardly trained, no gain ([ablation](results/ablation.md)). Trained for longer on "
        "hours of sound, it gains ([pre-training](results/pretraining.md)).",
        f"On one kind of processor; {second[0]} to {second[1]} times on another. [Speed](results/speed.md)",
    ]
    head = ["what", "result", "chance", "classic method", "what to keep in mind"]
    return table(head, [[*row, svm, note] for row, svm, note in zip(rows, classic, notes, strict=True)])


SIGHT = {  # what `scripts/train_sight.sh` leaves in its folder of runs, and the command of each
    "grid": "audioformer bench sight --digits runs/fsdd-codes -o runs/grid",
    "digits": "audioformer bench sight --digits runs/fsdd-codes --checkpoint sight-digits --speakers theo "
    "-o runs/digits",
    "maps": "audioformer bench sight --scenes runs/heard-test-codes --checkpoint sight-scenes -o runs/maps",
    "resolutions": "audioformer bench sight --scenes runs/heard-test-codes --learn-from runs/heard-codes --steps 100 "
    "-o runs/resolutions",
    "longer": "audioformer bench sight --digits runs/fsdd-codes --steps 150 --only cross -o runs/longer",
}
TOWERS = "statistics,log-mel,runs/fresh,sight-digits,sight-scenes"
SIGHT_PROBES = {
    "probe-esc10": f"audioformer bench probe --esc10 ESC-10 --features {TOWERS} --probes linear --no-speed "
    "-o runs/probe-esc10",
    "probe-digits": f"audioformer bench probe --digits FSDD --folds 5 --features {TOWERS} --probes linear --no-speed "
    "-o runs/probe-digits",
    "probe-scenes": f"audioformer bench probe --scenes SCENES --features {TOWERS} --probes linear --no-speed "
    "-o runs/probe-scenes",
    "sound-only": "audioformer bench probe --digits FSDD --folds 5 --features $(echo "
    "runs/{digits,waveform,sound}-{0,1,2} | tr ' ' ,) --probes linear --seeds 1 --no-speed -o runs/sound-only",
}


def take_sight(runs: Path) -> None:
    """Store what is there of SIGHT and SIGHT_PROBES in a folder of runs; what is not there stays as it was stored."""
    path, documents = HERE / "sight.json", here("sight")
    for name, command in (SIGHT | SIGHT_PROBES).items():
        if (found := runs / name / "results.json").is_file():
            documents[name] = {**read(found), "command": command}
    path.write_text(json.dumps(documents, indent=1) + "\n", encoding="utf-8")


def sight_tables() -> str:
    """Grid, pairs and maps of sound and sight, and the commands behind them."""
    documents = here("sight")
    once = [documents[name] for name in ("grid", "digits", "maps", "resolutions") if name in documents]
    parts = [sight.as_markdown({"rows": [row for one in once for row in one["rows"]]}).strip().partition("\n\n")[2]]
    if "longer" in documents:
        longer = documents["longer"]
        grid = sight.grid_table({(one["resolution"], one["batch"], one["mix"]): one for one in longer["rows"]})
        steps = f"{longer['steps']} steps instead of {documents['grid']['steps']}"
        parts.append(f"## The same with {steps}, 8 pixels\n\n{grid}")
    commands = [f"$ {documents[name]['command']}" for name in SIGHT if name in documents]
    return "\n".join(["\n\n".join(parts), "", "```console", *commands, "```"])


def sight_probes() -> str:
    """What the sound towers give a linear layer, and what other views make of a tower."""
    documents, lines, commands = here("sight"), [], []
    for name in SIGHT_PROBES:
        for row in documents.get(name, {"rows": []})["rows"]:
            data = f"{row['data']}: {row['unit']}, {row['n_folds']} held out in turn, seeds {row['n_seeds']}"
            spread = None if row["seed_std"] is None else f"{row['seed_std']:.3f}"
            lines.append([data, f"`{row['features']}`", f"{row['ours']:.3f}", spread, f"{row['chance']:.3f}"])
        if name in documents:
            commands.append(f"$ {documents[name]['command']}")
    head = ["data", "vectors", "score", "± seeds", "chance"]
    return "\n".join([table(head, lines), "", "```console", *commands, "```"])


TABLES = {
    "summary": summary,
    "recipes": lambda: recipes(("esc10", "digits", "scenes")),
    "probes": lambda: recipes(("encodecmae-esc10", "encodecmae-digits")),
    "classic": classic,
    "tried_esc10": lambda: tried("esc10"),
    "tried_digits": lambda: tried("digits"),
    "tried_scenes": lambda: tried("scenes"),
    "tried_ablation": lambda: tried("ablation"),
    "tried_codec": lambda: tried("codec"),
    "features": lambda: printed(probe.as_markdown, "probe"),
    "adaptation": lambda: printed(adapt.as_markdown, "adapt"),
    "ablation": ablation,
    "speed": speed,
    "growth": growth,
    "codec": codec,
    "sight": sight_tables,
    "sight_probes": sight_probes,
}


def current(page: Path) -> str:
    """The page's text with all its tables from the stored results."""
    text = page.read_text(encoding="utf-8")
    return MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)


def main(check: bool) -> int:
    """Write the pages, or name those that are stale; 1 if there are any."""
    stale = [page for page in PAGES if current(page) != page.read_text(encoding="utf-8")]
    for page in stale:
        if check:
            print(f"{page.name}: its tables are not those of the stored results; run `python results/build.py`")
        else:
            page.write_text(current(page), encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    if "--sight" in sys.argv[1:]:
        take_sight(Path(sys.argv[sys.argv.index("--sight") + 1]))
    sys.exit(main("--check" in sys.argv[1:]))
