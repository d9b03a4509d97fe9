-- labels of an item that their source does not list
-- warning: item_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.item_id AS value
FROM annotations AS a JOIN items AS i ON i.item_id = a.item_id
WHERE i.labelled_state = 'unlisted'
