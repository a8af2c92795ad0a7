// simdjson's DOM for C callers: names for its calls, and nothing of our own.
//
// A document owns its parser, tape and strings. Elements and cursors point into it and are valid
// until csimdjson_free. A parsed document is never changed, so threads may share it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct csimdjson_document csimdjson_document;

// A value in a document; copied freely.
typedef struct {
    const void *document;
    size_t index;
} csimdjson_element;

// The rest of an array or an object.
typedef struct {
    csimdjson_element next;
    csimdjson_element end;
} csimdjson_cursor;

typedef enum {
    CSIMDJSON_NULL,
    CSIMDJSON_BOOL,
    CSIMDJSON_INT64,
    // Only integers above INT64_MAX.
    CSIMDJSON_UINT64,
    CSIMDJSON_DOUBLE,
    CSIMDJSON_STRING,
    CSIMDJSON_ARRAY,
    CSIMDJSON_OBJECT,
} csimdjson_kind;

// The codes of csimdjson_parse that callers tell apart; all others are kinds of bad JSON.
extern const int csimdjson_success;
extern const int csimdjson_depth_error;
extern const int csimdjson_capacity;
extern const int csimdjson_memalloc;

// Copies what it needs of `bytes`. On success `*document` is to be freed by the caller, once.
// `max_depth` bounds nested arrays and objects; a scalar has depth 0.
int csimdjson_parse(const uint8_t *bytes, size_t length, size_t max_depth,
                    csimdjson_document **document, csimdjson_element *root);
void csimdjson_free(csimdjson_document *document);

// A text that lives for ever and holds nothing of the content.
const char *csimdjson_error_message(int code);

csimdjson_kind csimdjson_get_kind(csimdjson_element element);

// Each returns false, and leaves its results alone, where the element is of another kind or the
// number does not fit. csimdjson_get_double converts integers. Strings are UTF-8, may hold NUL,
// and live as long as the document.
bool csimdjson_get_bool(csimdjson_element element, bool *value);
bool csimdjson_get_int64(csimdjson_element element, int64_t *value);
bool csimdjson_get_double(csimdjson_element element, double *value);
bool csimdjson_get_string(csimdjson_element element, const char **bytes, size_t *length);

// The number of values in an array; 0xFFFFFF stands for that many or more.
bool csimdjson_get_count(csimdjson_element element, size_t *count);
bool csimdjson_begin_array(csimdjson_element element, csimdjson_cursor *cursor);
// False at the end.
bool csimdjson_next(csimdjson_cursor *cursor, csimdjson_element *element);

// One field of an object. The key is UTF-8 without its escapes and lives as long as the document.
typedef struct {
    const char *key;
    size_t key_length;
    csimdjson_element value;
} csimdjson_field;

bool csimdjson_begin_object(csimdjson_element element, csimdjson_cursor *cursor);
// In the order of the text, equal keys included. False at the end.
bool csimdjson_next_field(csimdjson_cursor *cursor, csimdjson_field *field);

// The first value of that key; linear in the object's own keys. False where there is none or the
// element is not an object.
bool csimdjson_find(csimdjson_element element, const char *key, size_t key_length,
                    csimdjson_element *value);

#ifdef __cplusplus
}
#endif
