-- labels of a kind that their class does not allow
-- error: kind
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.kind AS value
FROM annotations AS a JOIN categories AS c ON c.category_id = a.category_id
WHERE c.kinds IS NOT NULL AND NOT COALESCE(LIST_CONTAINS(c.kinds, a.kind), FALSE)
