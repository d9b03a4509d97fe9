-- labels that reach out of their image
-- info: box
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, [a.xmin, a.ymin, a.xmax, a.ymax] AS value
FROM annotations AS a JOIN items AS i ON i.item_id = a.item_id
WHERE i.width IS NOT NULL AND i.height IS NOT NULL
    AND (a.xmin < 0 OR a.ymin < 0 OR a.xmax > i.width + 1 OR a.ymax > i.height + 1)
