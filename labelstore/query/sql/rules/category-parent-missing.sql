-- classes whose parent is not in the store
-- error: parent_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT c.category_id AS id, CAST(NULL AS BIGINT) AS item_id, CAST(NULL AS BIGINT) AS annotation_id, c.parent_id AS value
FROM categories AS c LEFT JOIN categories AS p ON p.category_id = c.parent_id
WHERE c.parent_id IS NOT NULL AND p.category_id IS NULL
