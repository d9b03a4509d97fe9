-- labels that something wrote after their review
-- warning: review_state
-- gives  id BIGINT, item_id BIGINT, annotation_id BIGINT, value
SELECT a.annotation_id AS id, a.item_id, a.annotation_id, a.review_state AS value
FROM annotations AS a LEFT JOIN activities AS w ON w.activity_id = a.changed_in
WHERE a.review_state IS NOT NULL AND a.changed_in <> a.created_in
AND (a.reviewed_at IS NULL OR w.started_at IS NULL OR w.started_at <> a.reviewed_at)
