-- labels whose mask covers the whole image and has another size
-- warning: mask
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, [l.mask.h, l.mask.w] AS value
FROM labels AS l JOIN items AS i ON i.item_id = l.item_id
WHERE l.mask IS NOT NULL AND l.mask.x0 IS NULL AND l.mask.y0 IS NULL
    AND (l.mask.h <> i.height OR l.mask.w <> i.width)
