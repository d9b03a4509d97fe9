-- How many items have how many labels; items without any are counted as 0.
-- param  layer  count only this layer; NULL counts all
-- gives  labels BIGINT, items BIGINT
SELECT n.labels AS labels, COUNT(*) AS items
FROM (
    SELECT i.item_id AS item_id, COUNT(a.annotation_id) AS labels
    FROM items AS i
    LEFT JOIN (
        SELECT o.item_id AS item_id, o.annotation_id AS annotation_id
        FROM annotations AS o
        WHERE CAST($layer AS VARCHAR) IS NULL OR o.layer = CAST($layer AS VARCHAR)
    ) AS a ON a.item_id = i.item_id
    GROUP BY i.item_id
) AS n
GROUP BY n.labels
ORDER BY n.labels
