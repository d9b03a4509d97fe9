-- labels of a class that their source does not list
-- warning: category_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.category_id AS value
FROM annotations AS a JOIN categories AS c ON c.category_id = a.category_id
WHERE c.unlisted
