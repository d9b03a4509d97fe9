-- Each item with its group and the text that decides its subset.
-- Frames of one video, and sensor readings of one moment, are one group where no other is named.
-- param  seed  text put before the group
-- gives  item_id BIGINT, group_key VARCHAR, draw VARCHAR
SELECT
    g.item_id AS item_id,
    g.group_key AS group_key,
    SUBSTR(MD5(CAST($seed AS VARCHAR) || g.group_key), 1, 8) AS draw
FROM (
    SELECT
        i.item_id AS item_id,
        COALESCE(
            i."group", p."group", p.uri, CAST(i.parent_id AS VARCHAR), i.uri, CAST(i.item_id AS VARCHAR)
        ) AS group_key
    FROM items AS i
    LEFT JOIN items AS p ON p.item_id = i.parent_id
) AS g
ORDER BY g.item_id
