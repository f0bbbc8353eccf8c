"""Several corpora as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from audioformer.data.corpus import Corpus
from audioformer.errors import AudioformerError


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Several corpora of the same codec as one, e.g. for pre-training; label lists are united by name.

    Args:
        corpora: at least one, whole or selected.

    Returns:
        Corpus with all rows, in order; n_codebooks is the smallest of all, frames are kept where all hold the same.
        Folds keep their numbers.

    Raises:
        AudioformerError: none given, or codes of different codecs.
    """
    import pyarrow as pa

    if not corpora:
        raise AudioformerError("join needs at least one corpus, got none")
    first = corpora[0].info
    for other in corpora[1:]:
        if other.codec["fingerprint"] != first.codec["fingerprint"]:
            raise AudioformerError(
                f"{other.info.dataset} holds codes of {other.codec['name']} ({other.codec['fingerprint']}), "
                f"{first.dataset} of "
                f"{first.codec['name']} ({first.codec['fingerprint']}); prepare both with one codec"
            )
    names = tuple(dict.fromkeys(name for corpus in corpora for name in corpus.label_names))
    frames = first.frames if all(corpus.info.frames == first.frames for corpus in corpora) else None
    tables, indices, offset = [], [], 0
    for corpus in corpora:
        table = corpus.table if frames or not corpus.info.frames else corpus.table.drop_columns(["frames"])
        tables.append(relabelled(table, corpus.label_names, names))
        indices.append(corpus.indices + offset)
        offset += corpus.table.num_rows
    info = replace(
        first,
        dataset="+".join(corpus.info.dataset for corpus in corpora),
        label_names=names,
        multi_label=any(c.multi_label for c in corpora),
        n_codebooks=min(c.info.n_codebooks for c in corpora),
        frames=frames,
    )
    problems, notes = (
        {key: value for corpus in corpora for key, value in getattr(corpus, name).items()}
        for name in ("problems", "notes")
    )
    return Corpus(info, pa.concat_tables(tables), np.concatenate(indices), problems, notes)


def relabelled(table, names: tuple[str, ...], new_names: tuple[str, ...]):
    """An Arrow table of rows with its class numbers, places in `names`, turned into places in `new_names`."""
    import pyarrow as pa

    if names == new_names:
        return table.replace_schema_metadata(None)
    place = [new_names.index(name) for name in names]
    labels = [[place[number] for number in row] for row in table.column("labels").to_pylist()]
    events = [
        [{**event, "label": place[event["label"]]} for event in row] for row in table.column("events").to_pylist()
    ]
    for name, values in (("labels", labels), ("events", events)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, type=table.schema.field(at).type))
    return table.replace_schema_metadata(None)
