-- Neighbouring frames of one video in different subsets of a split scheme: the later of each two.
-- param  scheme  the scheme
-- param  gap  frames that are at most so far apart are neighbours
-- gives  value VARCHAR, first_subset VARCHAR, last_subset VARCHAR, items BIGINT, example BIGINT
SELECT
    COALESCE(p.uri, CAST(f.parent_id AS VARCHAR)) AS value,
    MIN(LEAST(f.before, f.subset)) AS first_subset,
    MAX(GREATEST(f.before, f.subset)) AS last_subset,
    COUNT(*) AS items,
    MIN(f.item_id) AS example
FROM (
    SELECT
        i.parent_id AS parent_id,
        i.item_id AS item_id,
        s.subset AS subset,
        i.frame_index - LAG(i.frame_index) OVER (PARTITION BY i.parent_id ORDER BY i.frame_index, i.item_id) AS gap,
        LAG(s.subset) OVER (PARTITION BY i.parent_id ORDER BY i.frame_index, i.item_id) AS before
    FROM splits AS s
    JOIN items AS i ON i.item_id = s.item_id
    WHERE s.scheme = CAST($scheme AS VARCHAR) AND i.parent_id IS NOT NULL AND i.frame_index IS NOT NULL
) AS f
LEFT JOIN items AS p ON p.item_id = f.parent_id
WHERE f.before <> f.subset AND f.gap <= CAST($gap AS BIGINT)
GROUP BY COALESCE(p.uri, CAST(f.parent_id AS VARCHAR))
ORDER BY items DESC, value
