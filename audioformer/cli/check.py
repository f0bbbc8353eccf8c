"""`audioformer check`: is this machine ready, and what to do where it is not."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from audioformer.cli.console import Progress, Result
from audioformer.cli.options import add_verb, at_least_one
from audioformer.install.readiness import NOTE, OK, WRONG, Finding, examine

MARKS = {OK: "ok  ", NOTE: "note", WRONG: "FIX "}


def add_verbs(verbs) -> None:
    """Add `check`."""
    about = (
        "Check whether this machine is ready: versions, sound output, microphone, models, speed, data, port, work "
        "without internet; exit status 0 if it is, 2 if something has to be done first."
    )
    parser = add_verb(verbs, "check", run, about, "audioformer check --port 7860")
    parser.add_argument(
        "--port", type=at_least_one, default=7860, metavar="N", help="TCP port for the app, 1 to 65535 (default 7860)"
    )


def run(arguments: argparse.Namespace) -> Result:
    """Look at everything."""
    findings: list[Finding] = []
    with Progress() as progress:
        for finding in examine(arguments.port):
            findings.append(finding)
            progress.show(f"looked at {finding.name}")
    wrong = sum(finding.state == WRONG for finding in findings)
    document = {"ready": not wrong, "checks": [asdict(finding) for finding in findings]}
    return Result(document, as_text(findings), 2 if wrong else 0)


def as_text(findings: list[Finding]) -> str:
    """A line for each finding, under it the advice, and at the end the verdict."""
    wrong = sum(finding.state == WRONG for finding in findings)
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]}  {finding.name:<{width}}  {finding.found}")
        if finding.advice:
            lines.append(f"      {'':<{width}}  -> {finding.advice}")
    verdict = f"Not ready: {wrong} to fix (marked FIX)." if wrong else "Ready."
    return "\n".join([*lines, verdict])
