-- Files of the same content, by their SHA-256, in several subsets of a split scheme.
-- param  scheme  the scheme
-- gives  value VARCHAR, first_subset VARCHAR, last_subset VARCHAR, items BIGINT, example BIGINT
SELECT
    i.sha256 AS value,
    MIN(s.subset) AS first_subset,
    MAX(s.subset) AS last_subset,
    COUNT(*) AS items,
    MIN(s.item_id) AS example
FROM splits AS s
JOIN items AS i ON i.item_id = s.item_id
WHERE s.scheme = CAST($scheme AS VARCHAR) AND i.sha256 IS NOT NULL
GROUP BY i.sha256
HAVING COUNT(DISTINCT s.subset) > 1
ORDER BY items DESC, value
