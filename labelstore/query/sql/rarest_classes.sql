-- The rarest class on each item, and how many labels that class has in all.
-- param  layer  count only this layer; NULL counts all
-- gives  item_id BIGINT, category_id BIGINT, category VARCHAR, annotations BIGINT
WITH own AS (
    SELECT a.item_id AS item_id, a.category_id AS category_id
    FROM annotations AS a
    WHERE a.category_id IS NOT NULL
      AND (CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR))
),
counts AS (
    SELECT o.category_id AS category_id, COUNT(*) AS annotations FROM own AS o GROUP BY o.category_id
),
told AS (
    SELECT DISTINCT o.item_id AS item_id, o.category_id AS category_id, n.annotations AS annotations
    FROM own AS o
    JOIN counts AS n ON n.category_id = o.category_id
),
least AS (
    SELECT t.item_id AS item_id, MIN(t.annotations) AS annotations FROM told AS t GROUP BY t.item_id
),
chosen AS (
    SELECT t.item_id AS item_id, MIN(t.category_id) AS category_id, t.annotations AS annotations
    FROM told AS t
    JOIN least AS l ON l.item_id = t.item_id AND l.annotations = t.annotations
    GROUP BY t.item_id, t.annotations
)
SELECT h.item_id AS item_id, h.category_id AS category_id, c.name AS category, h.annotations AS annotations
FROM chosen AS h
LEFT JOIN categories AS c ON c.category_id = h.category_id
ORDER BY annotations, h.item_id
