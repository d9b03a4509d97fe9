-- Annotations and items per version and class: class balance through time.
-- It is about several versions.
-- param  layer  count only this layer; NULL counts all
-- gives  version VARCHAR, category_id BIGINT, category VARCHAR, annotations BIGINT, items BIGINT
SELECT
    a.version AS version,
    a.category_id AS category_id,
    c.name AS category,
    COUNT(*) AS annotations,
    COUNT(DISTINCT a.item_id) AS items
FROM annotations AS a
JOIN versions AS v ON v.version = a.version
LEFT JOIN categories AS c ON c.category_id = a.category_id AND c.version = a.version
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY v.position, a.version, a.category_id, c.name
ORDER BY v.position, annotations DESC, category, a.category_id
