-- Groups of items (scene, patient, video) that a split scheme cuts through.
-- param  scheme  the scheme
-- gives  value VARCHAR, first_subset VARCHAR, last_subset VARCHAR, items BIGINT, example BIGINT
SELECT
    g.value AS value,
    MIN(g.subset) AS first_subset,
    MAX(g.subset) AS last_subset,
    COUNT(*) AS items,
    MIN(g.item_id) AS example
FROM (
    SELECT COALESCE(i."group", p."group", p.uri, s."group") AS value, s.subset AS subset, s.item_id AS item_id
    FROM splits AS s
    JOIN items AS i ON i.item_id = s.item_id
    LEFT JOIN items AS p ON p.item_id = i.parent_id
    WHERE s.scheme = CAST($scheme AS VARCHAR)
) AS g
WHERE g.value IS NOT NULL
GROUP BY g.value
HAVING COUNT(DISTINCT g.subset) > 1
ORDER BY items DESC, value
