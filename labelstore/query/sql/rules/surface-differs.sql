-- spans whose surface is not what stands there in the text
-- error: surface
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, l.surface AS value
FROM labels AS l
JOIN items AS i ON i.item_id = l.item_id
WHERE l.surface IS NOT NULL AND i.text IS NOT NULL
    AND ARRAY_TO_STRING(
        LIST_TRANSFORM(l.spans, LAMBDA s: SUBSTRING(i.text, s."start" + 1, s."end" - s."start")), ' '
    ) <> l.surface
