-- further classes of a label that are not in the store
-- error: category_scores
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT s.annotation_id AS id, s.item_id, s.annotation_id, s.further.category_id AS value
FROM (
    SELECT a.item_id AS item_id, a.annotation_id AS annotation_id, UNNEST(a.category_scores) AS further
    FROM annotations AS a
    WHERE a.category_scores IS NOT NULL
) AS s
LEFT JOIN categories AS c ON c.category_id = s.further.category_id
WHERE c.category_id IS NULL
