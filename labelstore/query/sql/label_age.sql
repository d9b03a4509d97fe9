-- How many labels of each version are from which month.
-- It is about several versions.
-- param  layer  count only this layer; NULL counts all
-- gives  version VARCHAR, month VARCHAR, annotations BIGINT
SELECT
    a.version AS version,
    SUBSTR(CAST(CAST(COALESCE(a.created_at, t.ended_at) AS DATE) AS VARCHAR), 1, 7) AS month,
    COUNT(*) AS annotations
FROM annotations AS a
JOIN versions AS v ON v.version = a.version
LEFT JOIN activities AS t ON t.activity_id = a.created_in AND t.version = a.version
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY v.position, a.version, SUBSTR(CAST(CAST(COALESCE(a.created_at, t.ended_at) AS DATE) AS VARCHAR), 1, 7)
ORDER BY v.position, month
