-- labels whose kind says a shape that they do not have
-- warning: kind
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT s.annotation_id AS id, s.item_id, s.annotation_id, s.kind AS value
FROM shaped AS s
WHERE s.kind NOT IN ('tag', 'track') AND NOT COALESCE(LIST_CONTAINS(s.kinds, s.kind), FALSE)
