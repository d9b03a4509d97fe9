-- names that several classes have
-- warning: name
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT MIN(c.category_id) AS id, CAST(NULL AS BIGINT) AS item_id, CAST(NULL AS BIGINT) AS annotation_id, c.name AS value
FROM categories AS c
WHERE c.name IS NOT NULL
GROUP BY c.name, c.supercategory, c.parent_id
HAVING COUNT(*) > 1
