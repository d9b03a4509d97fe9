-- spans that reach beyond the text of their item
-- error: spans
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT s.annotation_id AS id, s.item_id, s.annotation_id, s.span AS value
FROM (
    SELECT l.annotation_id AS annotation_id, l.item_id AS item_id, UNNEST(l.spans) AS span
    FROM labels AS l WHERE l.spans IS NOT NULL
) AS s
JOIN items AS i ON i.item_id = s.item_id
WHERE i.text IS NOT NULL AND s.span."end" > LENGTH(i.text)
