-- split rows of an item that is not in the store
-- warning: item_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT s.item_id AS id, s.item_id, CAST(NULL AS BIGINT) AS annotation_id, s.scheme AS value
FROM splits AS s LEFT JOIN items AS i ON i.item_id = s.item_id
WHERE i.item_id IS NULL
