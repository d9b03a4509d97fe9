-- labels whose kind says that they have no shape, and that have one
-- warning: kind
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT s.annotation_id AS id, s.item_id, s.annotation_id, s.kind AS value
FROM shaped AS s
WHERE s.kind = 'tag' AND ARRAY_LENGTH(LIST_FILTER(s.kinds, lambda k: k IS NOT NULL)) > 0
