-- labels with keys, or an order of keys, that no column holds; kept as JSON
-- info: leftovers
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.leftovers AS value
FROM annotations AS a
WHERE a.leftovers IS NOT NULL
