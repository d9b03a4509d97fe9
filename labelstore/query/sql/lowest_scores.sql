-- The lowest score on each item: a model's, or else how sure the annotator was.
-- param  layer  look only at this layer; NULL looks at all
-- gives  item_id BIGINT, score DOUBLE, labels BIGINT
SELECT a.item_id AS item_id, MIN(COALESCE(a.score, a.confidence)) AS score, COUNT(*) AS labels
FROM annotations AS a
WHERE (a.score IS NOT NULL OR a.confidence IS NOT NULL)
  AND (CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR))
GROUP BY a.item_id
ORDER BY score, a.item_id
