-- items that came after a split was made: run `split` again
-- warning: item_id
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT i.item_id AS id, i.item_id, CAST(NULL AS BIGINT) AS annotation_id, d.scheme AS value
FROM (SELECT DISTINCT s.scheme AS scheme FROM splits AS s) AS d
CROSS JOIN items AS i
LEFT JOIN splits AS s ON s.scheme = d.scheme AND s.item_id = i.item_id
WHERE s.item_id IS NULL
