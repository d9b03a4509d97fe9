-- labels of a time that their item does not have
-- warning: interval
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, l.interval AS value
FROM labels AS l JOIN items AS i ON i.item_id = l.item_id
WHERE l.interval.start < 0 OR l.interval."end" > i.duration_s
