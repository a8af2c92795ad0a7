"""Values that have gone wrong between other clients and servers."""

VALUES = {
    "null": None,
    "smallest integer": -(2**63),
    "largest integer": 2**63 - 1,
    "beyond doubles": 2**53 + 1,
    "zero": 0,
    "float": 0.1,
    "whole float": 3.0,
    "negative zero": -0.0,
    "smallest float": 5e-324,
    "largest float": 1.7976931348623157e308,
    "empty text": "",
    "unicode": "grüße \u4f60\u597d \U0001f600 \u0301",
    "quotes and controls": "a'b\"c\\d\n\t\r/\x01\x7f",
    "text with NUL": "before\x00after\x00",
    "empty blob": b"",
    "blob": bytes(range(256)),
    "blob of one byte": b"\xff",
    "blob of two bytes": b"\xff\xfe",
}
