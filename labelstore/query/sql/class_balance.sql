-- Annotations and items per class, most frequent first.
-- param  layer  count only this layer; NULL counts all
-- gives  category_id BIGINT, category VARCHAR, annotations BIGINT, items BIGINT
SELECT
    a.category_id AS category_id,
    c.name AS category,
    COUNT(*) AS annotations,
    COUNT(DISTINCT a.item_id) AS items
FROM annotations AS a
LEFT JOIN categories AS c ON c.category_id = a.category_id
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY a.category_id, c.name
ORDER BY annotations DESC, category, a.category_id
