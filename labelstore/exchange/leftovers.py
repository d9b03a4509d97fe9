"""What columns do not hold of a source's objects: JSON with `keys`, and last `order`.

`order` is how an object is written, not what it says: an update leaves it as the store has it.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

ORDER_AT_END = r',?"order":\[("([^"\\]|\\.)*",?)*\]\}$'


def without_order(leftovers: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return leftovers without the order of keys; null where nothing else is left.

    Example:
        >>> without_order(pa.array(['{"keys":{"x":1},"order":["x","id"]}'])).to_pylist()
        ['{"keys":{"x":1}}']
    """
    if leftovers.null_count == len(leftovers):
        return leftovers
    stripped = pc.replace_substring_regex(leftovers, ORDER_AT_END, "}")
    return pc.if_else(pc.equal(stripped, "{}"), pa.scalar(None, pa.string()), stripped)
