-- Labels of one class and kind on an item, in one layer, whose covering boxes are nearly the same.
-- Labels on tracks are left out of it where the tracks differ, since objects may hide each other.
-- param  layer  look only at this layer; NULL looks at all
-- param  least  intersection over union from which two boxes are nearly the same; 0.8 if NULL
-- gives  item_id BIGINT, layer VARCHAR, annotation_id BIGINT, other_id BIGINT, agreement DOUBLE
WITH boxes AS (
    SELECT a.item_id AS item_id, a.layer AS layer, a.annotation_id AS annotation_id,
           COALESCE(a.category_id, 0) AS category_id, a.kind AS kind, a.track_id AS track_id,
           a.xmin AS xmin, a.ymin AS ymin, a.xmax AS xmax, a.ymax AS ymax
    FROM annotations AS a
    WHERE a.xmin IS NOT NULL
      AND (CAST($layer AS VARCHAR) IS NULL OR a.layer = CAST($layer AS VARCHAR))
),
pairs AS (
    SELECT a.item_id AS item_id, a.layer AS layer, a.annotation_id AS annotation_id,
           b.annotation_id AS other_id,
           (LEAST(a.xmax, b.xmax) - GREATEST(a.xmin, b.xmin))
             * (LEAST(a.ymax, b.ymax) - GREATEST(a.ymin, b.ymin)) AS inner_area,
           (a.xmax - a.xmin) * (a.ymax - a.ymin) + (b.xmax - b.xmin) * (b.ymax - b.ymin) AS areas
    FROM boxes AS a
    JOIN boxes AS b
      ON b.item_id = a.item_id AND b.layer = a.layer AND b.category_id = a.category_id AND b.kind = a.kind
    WHERE a.annotation_id < b.annotation_id
      AND a.xmin < b.xmax AND b.xmin < a.xmax AND a.ymin < b.ymax AND b.ymin < a.ymax
      AND (a.track_id IS NULL OR b.track_id IS NULL OR a.track_id = b.track_id)
)
SELECT p.item_id AS item_id, p.layer AS layer, p.annotation_id AS annotation_id, p.other_id AS other_id,
       p.inner_area / (p.areas - p.inner_area) AS agreement
FROM pairs AS p
WHERE p.inner_area >= COALESCE(CAST($least AS DOUBLE), 0.8) * (p.areas - p.inner_area)
ORDER BY agreement DESC, p.annotation_id, p.other_id
