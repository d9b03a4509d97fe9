-- Copies of one source file in several subsets of a split scheme.
-- Copies are what Roboflow calls NAME.rf.HASH: the same image, altered.
-- param  scheme  the scheme
-- gives  value VARCHAR, first_subset VARCHAR, last_subset VARCHAR, items BIGINT, example BIGINT
SELECT
    c.value AS value,
    MIN(c.subset) AS first_subset,
    MAX(c.subset) AS last_subset,
    COUNT(*) AS items,
    MIN(c.item_id) AS example
FROM (
    SELECT SPLIT_PART(i.uri, '.rf.', 1) AS value, s.subset AS subset, s.item_id AS item_id
    FROM splits AS s
    JOIN items AS i ON i.item_id = s.item_id
    WHERE s.scheme = CAST($scheme AS VARCHAR) AND i.uri LIKE '%.rf.%'
) AS c
GROUP BY c.value
HAVING COUNT(DISTINCT c.subset) > 1
ORDER BY items DESC, value
