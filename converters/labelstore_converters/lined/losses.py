"""What lines do not say of labels, whatever the format."""

from __future__ import annotations

import pyarrow as pa

from labelstore_converters.lined.cells import Layout, line_texts, style_numbers
from labelstore_converters.lined.tokens import split_lines
from labelstore_converters.lined.writing import Target, fields_of


def misread(rows: pa.RecordBatch, shapes: pa.RecordBatch, layout: Layout, to: Target) -> int:
    """Return how many labels have a line that would read as something else.

    Args:
        rows: n labels that a line can say.
        shapes: the same rows' shapes.
        layout: what lines are.
        to: which classes and tracks there are.
    """
    cells = layout.lines(fields_of(rows, shapes, to))
    how = style_numbers(rows.column("number_style"), cells, layout)
    texts = line_texts(cells, how, layout.separator).to_pylist()
    bad = [at for at, text in enumerate(texts) if not text.strip() or len(text.splitlines()) > 1]
    back = split_lines(
        [(i, "?" if i in set(bad) else text) for i, text in enumerate(texts)], layout.separator
    )
    read, _ = layout.cells(back)
    faulty = {row for row, _ in layout.faults(back, read)}
    unlike = set((~read.alike(cells)).nonzero()[0].tolist())
    return len(faulty | unlike | set(bad))
