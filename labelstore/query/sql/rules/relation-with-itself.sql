-- relations of a label with itself
-- warning: relations
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT r.relation_id AS id, CAST(NULL AS BIGINT) AS item_id, r.from_id AS annotation_id, r.label AS value
FROM relations AS r
WHERE r.from_id = r.to_id
