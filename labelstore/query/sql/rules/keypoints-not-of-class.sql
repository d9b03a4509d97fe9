-- labels with more or fewer keypoints than their class names
-- warning: keypoints
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT l.annotation_id AS id, l.item_id, l.annotation_id, l.keypoints AS value
FROM labels AS l JOIN categories AS c ON c.category_id = l.category_id
WHERE c.keypoint_names IS NOT NULL AND l.keypoints IS NOT NULL
    AND ARRAY_LENGTH(l.keypoints) <> ARRAY_LENGTH(c.keypoint_names) * COALESCE(l.keypoint_dims, 2)
