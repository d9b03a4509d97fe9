-- relations of a label that is not in the store
-- error: relations
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT r.relation_id AS id, CAST(NULL AS BIGINT) AS item_id, r.missing AS annotation_id, r.missing AS value
FROM (
    SELECT r.relation_id AS relation_id, r.from_id AS missing FROM relations AS r
    UNION ALL
    SELECT r.relation_id, r.to_id FROM relations AS r
) AS r
LEFT JOIN annotations AS a ON a.annotation_id = r.missing
WHERE a.annotation_id IS NULL
