-- source ids that several items of a data set have
-- warning: sources
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT MIN(s.item_id) AS id, MIN(s.item_id) AS item_id, CAST(NULL AS BIGINT) AS annotation_id,
    COALESCE(CAST(s.source.source_id AS VARCHAR), s.source.source_key) AS value
FROM (SELECT i.item_id AS item_id, UNNEST(i.sources) AS source FROM items AS i) AS s
WHERE s.source.source_id IS NOT NULL OR s.source.source_key IS NOT NULL
GROUP BY s.source.dataset_id, s.source.source_id, s.source.source_key
HAVING COUNT(*) > 1
