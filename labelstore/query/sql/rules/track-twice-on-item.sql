-- tracks with several labels on one item
-- warning: track_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT MIN(a.annotation_id) AS id, a.item_id, MIN(a.annotation_id) AS annotation_id, a.track_id AS value
FROM annotations AS a
WHERE a.track_id IS NOT NULL
GROUP BY a.layer, a.item_id, a.track_id
HAVING COUNT(*) > 1
