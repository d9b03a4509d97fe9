-- How many labels of each class each item has.
-- param  layer  count only this layer; NULL counts all
-- gives  item_id BIGINT, stratum VARCHAR, labels BIGINT
SELECT a.item_id AS item_id, CAST(a.category_id AS VARCHAR) AS stratum, COUNT(*) AS labels
FROM annotations AS a
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY a.item_id, a.category_id
ORDER BY a.item_id, a.category_id
