-- labels of another class than their track
-- warning: category_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.category_id AS value
FROM annotations AS a JOIN tracks AS t ON t.track_id = a.track_id
WHERE a.category_id <> t.category_id
