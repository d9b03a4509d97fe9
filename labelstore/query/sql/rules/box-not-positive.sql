-- labels without width or height
-- warning: box
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, [l.xmin, l.ymin, l.xmax, l.ymax] AS value
FROM annotations AS l
WHERE l.kind IN ('box', 'polygon', 'mask') AND (l.xmax <= l.xmin OR l.ymax <= l.ymin)
