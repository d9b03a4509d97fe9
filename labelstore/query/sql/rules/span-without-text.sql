-- labels of a text that their item does not have
-- warning: spans
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, l.spans[1] AS value
FROM labels AS l JOIN items AS i ON i.item_id = l.item_id
WHERE l.spans IS NOT NULL AND i.text IS NULL
