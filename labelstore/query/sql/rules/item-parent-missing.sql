-- items that are part of an item that is not in the store
-- error: parent_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT i.item_id AS id, i.item_id, CAST(NULL AS BIGINT) AS annotation_id, i.parent_id AS value
FROM items AS i LEFT JOIN items AS p ON p.item_id = i.parent_id
WHERE i.parent_id IS NOT NULL AND p.item_id IS NULL
