-- labels whose kind says a shape that they do not have
-- warning: kind
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, l.kind AS value
FROM labels AS l
WHERE CASE l.kind
    WHEN 'box' THEN l.box IS NULL
    WHEN 'rotated_box' THEN l.rotated_box IS NULL
    WHEN 'corners' THEN l.corners IS NULL
    WHEN 'polygon' THEN l.polygons IS NULL
    WHEN 'polyline' THEN l.polylines IS NULL
    WHEN 'spline' THEN l.spline IS NULL
    WHEN 'points' THEN l.keypoints IS NULL
    WHEN 'keypoints' THEN l.keypoints IS NULL
    WHEN 'ellipse' THEN l.ellipse IS NULL
    WHEN 'mask' THEN l.mask IS NULL
    WHEN 'segment' THEN l.raster IS NULL AND l.mask IS NULL AND l.polygons IS NULL
    WHEN 'cuboid2d' THEN l.cuboid2d IS NULL
    WHEN 'cuboid3d' THEN l.cuboid3d IS NULL
    WHEN 'mesh' THEN l.mesh IS NULL
    WHEN 'point_labels' THEN l.point_labels IS NULL
    WHEN 'span' THEN l.spans IS NULL
    WHEN 'interval' THEN l.interval IS NULL
    WHEN 'text' THEN l.text IS NULL
    ELSE FALSE
END
