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
