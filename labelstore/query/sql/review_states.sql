-- How many labels are in which state of review, by layer.
-- `outdated`: something wrote the label after its review. `own`: who made it reviewed it, or nobody
-- says who did. A label without a state has none.
-- param  layer  count only this layer; NULL counts all
-- gives  layer VARCHAR, state VARCHAR, outdated BOOLEAN, own BOOLEAN, annotations BIGINT
SELECT r.layer AS layer, r.state AS state, r.outdated AS outdated, r.own AS own, COUNT(*) AS annotations
FROM (
    SELECT
        a.layer AS layer,
        a.review_state AS state,
        COALESCE(
            a.review_state IS NOT NULL AND a.changed_in <> a.created_in
            AND (a.reviewed_at IS NULL OR w.started_at IS NULL OR w.started_at <> a.reviewed_at),
            FALSE
        ) AS outdated,
        a.review_state IS NOT NULL
        AND COALESCE(a.reviewed_by = COALESCE(a.created_by, m.agent_id), a.reviewed_by IS NULL) AS own
    FROM annotations AS a
    LEFT JOIN activities AS w ON w.activity_id = a.changed_in
    LEFT JOIN activities AS m ON m.activity_id = a.created_in
) AS r
WHERE CAST($layer AS VARCHAR) IS NULL OR r.layer = CAST($layer AS VARCHAR)
GROUP BY r.layer, r.state, r.outdated, r.own
ORDER BY layer, state, outdated, own
