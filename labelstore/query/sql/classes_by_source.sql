-- Annotations and items per source, as data sets are named, and class.
-- param  layer  count only this layer; NULL counts all
-- gives  value VARCHAR, category_id BIGINT, category VARCHAR, annotations BIGINT, items BIGINT
SELECT
    COALESCE(d.name, '(none)') AS value,
    a.category_id AS category_id,
    c.name AS category,
    COUNT(*) AS annotations,
    COUNT(DISTINCT a.item_id) AS items
FROM annotations AS a
LEFT JOIN datasets AS d ON d.dataset_id = a.dataset_id
LEFT JOIN categories AS c ON c.category_id = a.category_id
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY COALESCE(d.name, '(none)'), a.category_id, c.name
ORDER BY value, annotations DESC, category, a.category_id
