"""Folders that trainers read: a pinned version as a COCO or YOLO tree."""
