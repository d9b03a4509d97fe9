-- source ids that several labels of a data set have
-- warning: source_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT MIN(a.annotation_id) AS id, MIN(a.item_id) AS item_id, MIN(a.annotation_id) AS annotation_id,
    COALESCE(CAST(a.source_id AS VARCHAR), a.source_key) AS value
FROM annotations AS a
WHERE a.source_id IS NOT NULL OR a.source_key IS NOT NULL
GROUP BY a.dataset_id, a.source_id, a.source_key
HAVING COUNT(*) > 1
