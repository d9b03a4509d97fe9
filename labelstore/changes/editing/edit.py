"""Edits: rows added from Arrow, changed or deleted where a SQL condition holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labelstore.changes.editing import altering
from labelstore.changes.editing.columns import IDS, REFERRED
from labelstore.changes.editing.given import as_table
from labelstore.changes.editing.inserting import Inserting
from labelstore.changes.editing.resolving import (
    named_ids,
    refuse_unknown_ids,
    texts,
    whole_numbers,
)
from labelstore.errors import FormatError, InvalidInput
from labelstore.model.tables import TABLES
from labelstore.query.sandbox import expressions
from labelstore.versions.stage import Draft

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Edit:
    """Edits of one activity; see `Store.edit`.

    Args:
        draft: what they change.
        default_layer: layer of added rows that name none.
    """

    def __init__(self, draft: Draft, default_layer: str) -> None:
        self._draft = draft
        self._default_layer = default_layer
        self._inserting = Inserting(draft, default_layer)

    def add(
        self, annotations: Any = None, *, items: Any = None, categories: Any = None
    ) -> NDArray[np.int64]:
        """Add labels, and items and classes that they need; return the ids of the labels.

        Each of the three is an Arrow table, a pandas or polars frame, or a list.

        Args:
            annotations: columns of `annotations` and `geometries` in any number, or typed labels
                (`labelstore.model.labels`); items by `item_id` or `uri`, classes by `category_id`
                or `category` (a name). `layer` and `kind` may be left out. Boxes, rotated boxes
                and ellipses may be columns named as the fields of typed labels: `item`, `x`, `y`,
                `width`, `height`.
            items: new items, with a `uri` each.
            categories: new classes, with a `name` each.

        Raises:
            InvalidInput: a column is unknown, or a name is taken.
            NotFound: an item or class is not in the store.

        Example:
            >>> from labelstore.model.labels import Box
            >>> box = Box(item="a.jpg", category="car", x=10, y=20, width=30, height=40)
            >>> edit.add([box], items=[{"uri": "a.jpg"}])  # doctest: +SKIP
        """
        with self._draft.whole():
            self._inserting.named({"items": items, "categories": categories})
            return self._inserting.labels(as_table([] if annotations is None else annotations))

    def add_tracks(self, tracks: Any) -> NDArray[np.int64]:
        """Add tracks, and return their ids, for the `track_id` of their labels.

        Args:
            tracks: see `add`; columns `category` or `category_id`, `uri` or `item_id` (the video
                or sequence), `attributes`; each may be left out.

        Raises:
            InvalidInput: a column is unknown.
            NotFound: an item or class is not in the store.
        """
        return self._inserting.tracks(as_table(tracks))

    def add_relations(self, relations: Any) -> NDArray[np.int64]:
        """Add links between labels, and return their ids.

        Args:
            relations: see `add`; columns `from_id` and `to_id` (annotation ids), and `label`,
                `direction`, `score` and `attributes` where there are any.

        Raises:
            InvalidInput: a column is unknown or missing.
            NotFound: a label is not in the store.
        """
        return self._inserting.relations(as_table(relations))

    def add_boxes(
        self,
        *,
        uri: str,
        category: str,
        boxes: Sequence[tuple[float, float, float, float]],
        layer: str | None = None,
    ) -> NDArray[np.int64]:
        """Add boxes of one class to one item, and return their ids.

        Args:
            uri: the item.
            category: name of the class.
            boxes: x, y, width, height in pixels.
            layer: the layer; the default one otherwise.
        """
        wrong = [
            f"box {i}: has {len(box)} numbers" for i, box in enumerate(boxes) if len(box) != 4
        ]
        if wrong:
            raise FormatError("boxes are x, y, width, height", wrong, code="box-numbers")
        members = [{f"v{i}": float(v) for i, v in enumerate(box)} for box in boxes]
        kind = TABLES["geometries"].schema.field("box").type
        count = len(members)
        return self.add(
            pa.table(
                {
                    "layer": pa.array([layer or self._default_layer] * count),
                    "uri": pa.array([uri] * count),
                    "category": pa.array([category] * count),
                    "box": pa.array(members, kind),
                    "box_form": pa.array(["xywh"] * count),
                }
            )
        )

    def update(
        self,
        *,
        where: str,
        set: Mapping[str, Any],
        layer: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> int:
        """Change columns of the labels for which a condition holds, and return how many.

        Args:
            where: SQL condition over the columns of `labels`.
            set: column to a number, a truth value, None, or text: SQL over the columns of the
                row. `category` takes a class's name in quotes.
            layer: the layer; needed only where the condition holds in several.
            parameters: values of `$name` parameters in both.

        Raises:
            InvalidInput: a column cannot be set, the SQL is wrong, or layers are mixed.

        Example:
            >>> state = {"review_state": "'rejected'"}
            >>> edit.update(where="score < 0.2", set=state)  # doctest: +SKIP
        """
        altering.refuse_unsettable(list(set))
        if "review_state" in set and self._draft.workspace.settings.get("review"):
            raise InvalidInput(
                "labels of this store are reviewed by `labelstore review` (`store.review`), since "
                "labelstore.toml has a policy for it",
                code="edit-column",
            )
        chosen = {name: altering.literal(value) for name, value in set.items()}
        expressions([where, *chosen.values()])
        self._draft.distinguish(f"update {where} {layer} {sorted(chosen.items())} {parameters}")
        found = self._selected(
            [f"({sql}\n) AS new_{n}" for n, sql in chosen.items()], where, layer, parameters
        )
        if not found.num_rows:
            return 0
        values = {n: found.column(f"new_{n}") for n in chosen if n != "category"}
        if "category" in chosen:
            classes = texts(found.column("new_category"), "category")
            values["category_id"] = named_ids(self._draft.manifest, "category", classes)
        for name in IDS & chosen.keys():
            values[name] = whole_numbers(values[name], name)
        for id_column in REFERRED.keys() & chosen.keys():
            refuse_unknown_ids(self._draft.manifest, id_column, values[id_column])
        altering.write(self._draft, found.select(list(altering.KEYS)), values)
        return int(found.num_rows)

    def delete(
        self,
        *,
        where: str,
        layer: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> int:
        """Delete the labels for which a condition holds, with their relations; return how many.

        Args:
            where: SQL condition over the columns of `labels`.
            layer: the layer; needed only where the condition holds in several.
            parameters: values of its `$name` parameters.
        """
        self._draft.distinguish(f"delete {where} {layer} {parameters}")
        expressions([where])
        found = self._selected([], where, layer, parameters)
        altering.delete(self._draft, found)
        return int(found.num_rows)

    def _selected(
        self,
        columns: Sequence[str],
        where: str,
        layer: str | None,
        parameters: Mapping[str, Any] | None,
    ) -> pa.Table:
        """Return keys and more columns of the labels for which a condition holds."""
        wanted = [*altering.KEYS, *columns]
        return altering.selected(self._draft.manifest, wanted, where, layer, parameters)
