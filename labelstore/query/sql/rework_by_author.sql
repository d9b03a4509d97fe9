-- Of each author's labels, by version: how many were written again since, and by somebody else.
-- The author is who judged, where the source says it, else who brought the label.
-- It is about several versions.
-- param  layer  count only this layer; NULL counts all
-- gives  version VARCHAR, agent_id BIGINT, annotations BIGINT, rewritten BIGINT, by_others BIGINT
SELECT
    a.version AS version,
    COALESCE(a.created_by, t.agent_id) AS agent_id,
    COUNT(*) AS annotations,
    COUNT(CASE WHEN a.changed_in <> a.created_in THEN 1 END) AS rewritten,
    COUNT(CASE WHEN w.agent_id <> COALESCE(a.created_by, t.agent_id) THEN 1 END) AS by_others
FROM annotations AS a
JOIN versions AS v ON v.version = a.version
LEFT JOIN activities AS t ON t.activity_id = a.created_in AND t.version = a.version
LEFT JOIN activities AS w ON w.activity_id = a.changed_in AND w.version = a.version
WHERE CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR)
GROUP BY v.position, a.version, COALESCE(a.created_by, t.agent_id)
ORDER BY v.position, annotations DESC, agent_id
