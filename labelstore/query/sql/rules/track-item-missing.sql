-- tracks of an item that is not in the store
-- error: item_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT t.track_id AS id, CAST(NULL AS BIGINT) AS item_id, CAST(NULL AS BIGINT) AS annotation_id, t.item_id AS value
FROM tracks AS t LEFT JOIN items AS i ON i.item_id = t.item_id
WHERE t.item_id IS NOT NULL AND i.item_id IS NULL
