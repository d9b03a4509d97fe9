-- Rules across tables: one row per rule that is broken, with how often and one example.
-- gives  code VARCHAR, severity VARCHAR, count BIGINT, example BIGINT
SELECT 'annotation-item-missing' AS code, 'error' AS severity, COUNT(*) AS count, MIN(a.annotation_id) AS example
FROM annotations AS a LEFT JOIN items AS i ON i.item_id = a.item_id
WHERE i.item_id IS NULL
HAVING COUNT(*) > 0
UNION ALL
SELECT 'annotation-item-unlisted', 'warning', COUNT(*), MIN(a.annotation_id)
FROM annotations AS a JOIN items AS i ON i.item_id = a.item_id
WHERE i.labelled_state = 'unlisted'
HAVING COUNT(*) > 0
UNION ALL
SELECT 'annotation-category-missing', 'error', COUNT(*), MIN(a.annotation_id)
FROM annotations AS a LEFT JOIN categories AS c ON c.category_id = a.category_id
WHERE a.category_id IS NOT NULL AND c.category_id IS NULL
HAVING COUNT(*) > 0
UNION ALL
SELECT 'category-score-missing', 'error', COUNT(*), MIN(s.annotation_id)
FROM (
    SELECT a.annotation_id AS annotation_id, UNNEST(a.category_scores) AS further
    FROM annotations AS a
    WHERE a.category_scores IS NOT NULL
) AS s
LEFT JOIN categories AS c ON c.category_id = s.further.category_id
WHERE c.category_id IS NULL
HAVING COUNT(*) > 0
UNION ALL
SELECT 'annotation-category-unlisted', 'warning', COUNT(*), MIN(a.annotation_id)
FROM annotations AS a JOIN categories AS c ON c.category_id = a.category_id
WHERE c.unlisted
HAVING COUNT(*) > 0
UNION ALL
SELECT 'annotation-source-id-repeated', 'warning', COUNT(*), MIN(r.example)
FROM (
    SELECT MIN(a.annotation_id) AS example
    FROM annotations AS a
    WHERE a.source_id IS NOT NULL OR a.source_key IS NOT NULL
    GROUP BY a.dataset_id, a.source_id, a.source_key
    HAVING COUNT(*) > 1
) AS r
HAVING COUNT(*) > 0
UNION ALL
SELECT 'box-not-positive', 'warning', COUNT(*), MIN(a.annotation_id)
FROM annotations AS a
WHERE a.kind IN ('box', 'polygon', 'mask') AND (a.xmax <= a.xmin OR a.ymax <= a.ymin)
HAVING COUNT(*) > 0
UNION ALL
SELECT 'box-outside-image', 'info', COUNT(*), MIN(a.annotation_id)
FROM annotations AS a JOIN items AS i ON i.item_id = a.item_id
WHERE i.width IS NOT NULL AND i.height IS NOT NULL
    AND (a.xmin < 0 OR a.ymin < 0 OR a.xmax > i.width + 1 OR a.ymax > i.height + 1)
HAVING COUNT(*) > 0
UNION ALL
SELECT 'kind-without-shape', 'warning', COUNT(*), MIN(l.annotation_id)
FROM labels AS l
WHERE CASE l.kind
    WHEN 'box' THEN l.box IS NULL
    WHEN 'rotated_box' THEN l.rotated_box IS NULL
    WHEN 'corners' THEN l.corners IS NULL
    WHEN 'polygon' THEN l.polygons IS NULL
    WHEN 'polyline' THEN l.polylines IS NULL
    WHEN 'spline' THEN l.spline IS NULL
    WHEN 'points' THEN l.keypoints IS NULL
    WHEN 'keypoints' THEN l.keypoints IS NULL
    WHEN 'ellipse' THEN l.ellipse IS NULL
    WHEN 'mask' THEN l.mask IS NULL
    WHEN 'segment' THEN l.raster IS NULL AND l.mask IS NULL AND l.polygons IS NULL
    WHEN 'cuboid2d' THEN l.cuboid2d IS NULL
    WHEN 'cuboid3d' THEN l.cuboid3d IS NULL
    WHEN 'mesh' THEN l.mesh IS NULL
    WHEN 'point_labels' THEN l.point_labels IS NULL
    WHEN 'span' THEN l.spans IS NULL
    WHEN 'interval' THEN l.interval IS NULL
    WHEN 'text' THEN l.text IS NULL
    ELSE FALSE
END
HAVING COUNT(*) > 0
UNION ALL
SELECT 'keypoints-not-of-class', 'warning', COUNT(*), MIN(l.annotation_id)
FROM labels AS l JOIN categories AS c ON c.category_id = l.category_id
WHERE c.keypoint_names IS NOT NULL AND l.keypoints IS NOT NULL
    AND LEN(l.keypoints) <> LEN(c.keypoint_names) * COALESCE(l.keypoint_dims, 2)
HAVING COUNT(*) > 0
UNION ALL
SELECT 'span-outside-text', 'error', COUNT(*), MIN(s.annotation_id)
FROM (SELECT l.annotation_id AS annotation_id, l.item_id AS item_id, UNNEST(l.spans) AS span FROM labels AS l) AS s
JOIN items AS i ON i.item_id = s.item_id
WHERE i.text IS NOT NULL AND s.span."end" > LENGTH(i.text)
HAVING COUNT(*) > 0
UNION ALL
SELECT 'surface-differs', 'error', COUNT(*), MIN(r.annotation_id)
FROM (
    SELECT
        s.annotation_id AS annotation_id,
        STRING_AGG(SUBSTRING(i.text, s.span."start" + 1, s.span."end" - s.span."start"), ' ' ORDER BY s.place) AS found,
        MIN(s.surface) AS surface
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
HAVING COUNT(*) > 0
UNION ALL
SELECT 'category-name-repeated', 'warning', COUNT(*), MIN(r.example)
FROM (
    SELECT MIN(c.category_id) AS example
    FROM categories AS c
    WHERE c.name IS NOT NULL
    GROUP BY c.name, c.supercategory
    HAVING COUNT(*) > 1
) AS r
HAVING COUNT(*) > 0
UNION ALL
SELECT 'item-source-id-repeated', 'warning', COUNT(*), MIN(r.example)
FROM (
    SELECT MIN(s.item_id) AS example
    FROM (SELECT i.item_id AS item_id, UNNEST(i.sources) AS source FROM items AS i) AS s
    GROUP BY s.source.dataset_id, s.source.source_id, s.source.source_key
    HAVING COUNT(*) > 1
) AS r
HAVING COUNT(*) > 0
UNION ALL
SELECT 'item-without-split', 'warning', COUNT(*), MIN(i.item_id)
FROM (SELECT DISTINCT s.scheme AS scheme FROM splits AS s) AS d
CROSS JOIN items AS i
LEFT JOIN splits AS s ON s.scheme = d.scheme AND s.item_id = i.item_id
WHERE s.item_id IS NULL
HAVING COUNT(*) > 0
UNION ALL
SELECT 'split-item-missing', 'warning', COUNT(*), MIN(s.item_id)
FROM splits AS s LEFT JOIN items AS i ON i.item_id = s.item_id
WHERE i.item_id IS NULL
HAVING COUNT(*) > 0
UNION ALL
SELECT 'leftovers-kept', 'info', COUNT(*), MIN(a.annotation_id)
FROM annotations AS a
WHERE a.leftovers IS NOT NULL
HAVING COUNT(*) > 0
ORDER BY code
