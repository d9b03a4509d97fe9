-- labels that are part of a label that is not in the store
-- error: parent_annotation_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.parent_annotation_id AS value
FROM annotations AS a LEFT JOIN annotations AS p ON p.annotation_id = a.parent_annotation_id
WHERE a.parent_annotation_id IS NOT NULL AND p.annotation_id IS NULL
