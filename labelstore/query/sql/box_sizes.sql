-- Sizes of what covering boxes enclose, per class, in pixels of the image.
-- Small and large are COCO's: below 32 x 32 and from 96 x 96 pixels. `side_N` counts labels whose
-- area is that of a square of at least N and less than twice N pixels; labels in shares of an image
-- of unknown size are left out.
-- param  layer  count only this layer; NULL counts all
-- gives  category_id BIGINT, category VARCHAR, boxes BIGINT, small BIGINT, medium BIGINT, large BIGINT, mean_width DOUBLE, mean_height DOUBLE, least_area DOUBLE, largest_area DOUBLE, side_0 BIGINT, side_8 BIGINT, side_16 BIGINT, side_32 BIGINT, side_64 BIGINT, side_128 BIGINT, side_256 BIGINT, side_512 BIGINT
SELECT
    b.category_id AS category_id,
    c.name AS category,
    COUNT(*) AS boxes,
    COUNT(CASE WHEN b.area < 1024 THEN 1 END) AS small,
    COUNT(CASE WHEN b.area >= 1024 AND b.area < 9216 THEN 1 END) AS medium,
    COUNT(CASE WHEN b.area >= 9216 THEN 1 END) AS large,
    AVG(b.width) AS mean_width,
    AVG(b.height) AS mean_height,
    MIN(b.area) AS least_area,
    MAX(b.area) AS largest_area,
    COUNT(CASE WHEN b.area < 64 THEN 1 END) AS side_0,
    COUNT(CASE WHEN b.area >= 64 AND b.area < 256 THEN 1 END) AS side_8,
    COUNT(CASE WHEN b.area >= 256 AND b.area < 1024 THEN 1 END) AS side_16,
    COUNT(CASE WHEN b.area >= 1024 AND b.area < 4096 THEN 1 END) AS side_32,
    COUNT(CASE WHEN b.area >= 4096 AND b.area < 16384 THEN 1 END) AS side_64,
    COUNT(CASE WHEN b.area >= 16384 AND b.area < 65536 THEN 1 END) AS side_128,
    COUNT(CASE WHEN b.area >= 65536 AND b.area < 262144 THEN 1 END) AS side_256,
    COUNT(CASE WHEN b.area >= 262144 THEN 1 END) AS side_512
FROM (
    SELECT s.category_id, s.width, s.height, s.width * s.height AS area
    FROM (
        SELECT
            l.category_id AS category_id,
            CASE WHEN l.frame = 'unit' THEN (l.xmax - l.xmin) * i.width ELSE l.xmax - l.xmin END AS width,
            CASE WHEN l.frame = 'unit' THEN (l.ymax - l.ymin) * i.height ELSE l.ymax - l.ymin END AS height
        FROM labels AS l
        LEFT JOIN items AS i ON i.item_id = l.item_id
        WHERE CAST($layer AS VARCHAR) IS NULL OR l.layer = CAST($layer AS VARCHAR)
    ) AS s
) AS b
LEFT JOIN categories AS c ON c.category_id = b.category_id
WHERE b.area IS NOT NULL
GROUP BY b.category_id, c.name
ORDER BY boxes DESC, category, b.category_id
