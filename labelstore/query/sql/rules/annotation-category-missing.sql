-- labels of a class that is not in the store
-- error: category_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.category_id AS value
FROM annotations AS a LEFT JOIN categories AS c ON c.category_id = a.category_id
WHERE a.category_id IS NOT NULL AND c.category_id IS NULL
