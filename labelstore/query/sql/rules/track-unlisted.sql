-- labels of a track of which nothing else is known
-- info: track_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.track_id AS value
FROM annotations AS a LEFT JOIN tracks AS t ON t.track_id = a.track_id
WHERE a.track_id IS NOT NULL AND t.track_id IS NULL
