-- Annotations and items per class, most frequent first.
-- param  layer  count only this layer; NULL counts all
-- gives  category_id BIGINT, category VARCHAR, annotations BIGINT, items BIGINT
SELECT n.category_id AS category_id, c.name AS category, n.annotations AS annotations, n.items AS items
FROM (
    SELECT a.category_id AS category_id, COUNT(*) AS annotations, COUNT(DISTINCT a.item_id) AS items
    FROM annotations AS a
    WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
    GROUP BY a.category_id
) AS n
LEFT JOIN categories AS c ON c.category_id = n.category_id
ORDER BY annotations DESC, category, n.category_id
