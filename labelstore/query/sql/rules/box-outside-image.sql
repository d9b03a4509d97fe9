-- labels that reach out of their image
-- info: box
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, [l.xmin, l.ymin, l.xmax, l.ymax] AS value
FROM labels AS l JOIN items AS i ON i.item_id = l.item_id
WHERE i.width IS NOT NULL AND i.height IS NOT NULL AND COALESCE(l.frame, 'pixel') <> 'unit'
    AND (l.xmin < 0 OR l.ymin < 0 OR l.xmax > i.width + 1 OR l.ymax > i.height + 1)
