-- Annotations and items per author and class.
-- The author is who judged, where the source says it, else who brought the label; `value` is the
-- id of that agent.
-- param  layer  count only this layer; NULL counts all
-- gives  value VARCHAR, category_id BIGINT, category VARCHAR, annotations BIGINT, items BIGINT
SELECT
    CAST(COALESCE(a.created_by, t.agent_id) AS VARCHAR) AS value,
    a.category_id AS category_id,
    c.name AS category,
    COUNT(*) AS annotations,
    COUNT(DISTINCT a.item_id) AS items
FROM annotations AS a
LEFT JOIN activities AS t ON t.activity_id = a.created_in
LEFT JOIN categories AS c ON c.category_id = a.category_id
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY COALESCE(a.created_by, t.agent_id), a.category_id, c.name
ORDER BY value, annotations DESC, category, a.category_id
