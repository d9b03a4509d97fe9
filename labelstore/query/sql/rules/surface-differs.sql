-- spans whose surface is not what stands there in the text
-- error: surface
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT r.annotation_id AS id, r.item_id, r.annotation_id, r.surface AS value
FROM (
    SELECT
        s.annotation_id AS annotation_id, MIN(s.item_id) AS item_id, MIN(s.surface) AS surface,
        STRING_AGG(SUBSTRING(i.text, s.span."start" + 1, s.span."end" - s.span."start"), ' ' ORDER BY s.place) AS found
    FROM (
        SELECT
            l.annotation_id AS annotation_id, l.item_id AS item_id, l.surface AS surface,
            UNNEST(l.spans) AS span, GENERATE_SUBSCRIPTS(l.spans, 1) AS place
        FROM labels AS l WHERE l.surface IS NOT NULL
    ) AS s
    JOIN items AS i ON i.item_id = s.item_id
    WHERE i.text IS NOT NULL
    GROUP BY s.annotation_id
) AS r
WHERE r.found <> r.surface
