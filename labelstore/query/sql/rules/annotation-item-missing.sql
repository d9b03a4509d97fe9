-- labels of an item that is not in the store
-- error: item_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.item_id AS value
FROM annotations AS a LEFT JOIN items AS i ON i.item_id = a.item_id
WHERE i.item_id IS NULL
