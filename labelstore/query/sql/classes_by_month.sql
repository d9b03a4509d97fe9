-- Annotations and items per month in which the label was made, and class.
-- param  layer  count only this layer; NULL counts all
-- gives  value VARCHAR, category_id BIGINT, category VARCHAR, annotations BIGINT, items BIGINT
SELECT
    SUBSTR(CAST(CAST(COALESCE(a.created_at, t.ended_at) AS DATE) AS VARCHAR), 1, 7) AS value,
    a.category_id AS category_id,
    c.name AS category,
    COUNT(*) AS annotations,
    COUNT(DISTINCT a.item_id) AS items
FROM annotations AS a
LEFT JOIN activities AS t ON t.activity_id = a.created_in
LEFT JOIN categories AS c ON c.category_id = a.category_id
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY SUBSTR(CAST(CAST(COALESCE(a.created_at, t.ended_at) AS DATE) AS VARCHAR), 1, 7), a.category_id, c.name
ORDER BY value, annotations DESC, category, a.category_id
