-- Each item with its group and the text that decides its subset.
-- param  seed  text put before the group
-- gives  item_id BIGINT, group_key VARCHAR, draw VARCHAR
SELECT
    i.item_id AS item_id,
    COALESCE(i."group", i.uri, CAST(i.item_id AS VARCHAR)) AS group_key,
    SUBSTR(MD5(CAST($seed AS VARCHAR) || COALESCE(i."group", i.uri, CAST(i.item_id AS VARCHAR))), 1, 8) AS draw
FROM items AS i
ORDER BY i.item_id
