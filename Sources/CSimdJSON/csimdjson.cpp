#include "csimdjson.h"

#include <simdjson.h>

#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>

using namespace simdjson;

// simdjson's elements and iterators are a document pointer and a tape index: what a
// csimdjson_element holds. Copying their bytes is how they cross into C.
template <typename Type>
static Type unwrap(csimdjson_element element) {
    static_assert(sizeof(Type) == sizeof element && std::is_trivially_copyable<Type>::value, "");
    Type value;
    std::memcpy(static_cast<void *>(&value), &element, sizeof value);
    return value;
}

template <typename Type>
static csimdjson_element wrap(const Type &value) {
    static_assert(sizeof(Type) == sizeof(csimdjson_element), "");
    csimdjson_element element;
    std::memcpy(&element, static_cast<const void *>(&value), sizeof element);
    return element;
}

struct csimdjson_document {
    dom::parser parser;
};

extern "C" {

const int csimdjson_success = SUCCESS;
const int csimdjson_depth_error = DEPTH_ERROR;
const int csimdjson_capacity = CAPACITY;
const int csimdjson_memalloc = MEMALLOC;

int csimdjson_parse(const uint8_t *bytes, size_t length, size_t max_depth,
                    csimdjson_document **document, csimdjson_element *root) {
    auto *opened = new (std::nothrow) csimdjson_document;
    if (opened == nullptr) return MEMALLOC;
    error_code code = opened->parser.allocate(length < 32 ? 32 : length, max_depth);
    dom::element element;
    if (code == SUCCESS) code = opened->parser.parse(bytes, length).get(element);
    if (code != SUCCESS) {
        delete opened;
        return code;
    }
    *document = opened;
    *root = wrap(element);
    return SUCCESS;
}

void csimdjson_free(csimdjson_document *document) { delete document; }

const char *csimdjson_error_message(int code) {
    return error_message(static_cast<error_code>(code));
}

csimdjson_kind csimdjson_get_kind(csimdjson_element element) {
    switch (unwrap<dom::element>(element).type()) {
        case dom::element_type::ARRAY: return CSIMDJSON_ARRAY;
        case dom::element_type::OBJECT: return CSIMDJSON_OBJECT;
        case dom::element_type::INT64: return CSIMDJSON_INT64;
        case dom::element_type::UINT64: return CSIMDJSON_UINT64;
        case dom::element_type::DOUBLE: return CSIMDJSON_DOUBLE;
        case dom::element_type::STRING: return CSIMDJSON_STRING;
        case dom::element_type::BOOL: return CSIMDJSON_BOOL;
        case dom::element_type::NULL_VALUE: break;
    }
    return CSIMDJSON_NULL;
}

bool csimdjson_get_bool(csimdjson_element element, bool *value) {
    return unwrap<dom::element>(element).get(*value) == SUCCESS;
}

bool csimdjson_get_int64(csimdjson_element element, int64_t *value) {
    return unwrap<dom::element>(element).get(*value) == SUCCESS;
}

bool csimdjson_get_double(csimdjson_element element, double *value) {
    return unwrap<dom::element>(element).get(*value) == SUCCESS;
}

bool csimdjson_get_string(csimdjson_element element, const char **bytes, size_t *length) {
    std::string_view text;
    if (unwrap<dom::element>(element).get(text) != SUCCESS) return false;
    *bytes = text.data();
    *length = text.size();
    return true;
}

bool csimdjson_get_count(csimdjson_element element, size_t *count) {
    dom::array array;
    if (unwrap<dom::element>(element).get(array) != SUCCESS) return false;
    *count = array.size();
    return true;
}

bool csimdjson_begin_array(csimdjson_element element, csimdjson_cursor *cursor) {
    dom::array array;
    if (unwrap<dom::element>(element).get(array) != SUCCESS) return false;
    cursor->next = wrap(array.begin());
    cursor->end = wrap(array.end());
    return true;
}

bool csimdjson_next(csimdjson_cursor *cursor, csimdjson_element *element) {
    auto next = unwrap<dom::array::iterator>(cursor->next);
    if (next == unwrap<dom::array::iterator>(cursor->end)) return false;
    *element = wrap(*next);
    cursor->next = wrap(++next);
    return true;
}

bool csimdjson_begin_object(csimdjson_element element, csimdjson_cursor *cursor) {
    dom::object object;
    if (unwrap<dom::element>(element).get(object) != SUCCESS) return false;
    cursor->next = wrap(object.begin());
    cursor->end = wrap(object.end());
    return true;
}

bool csimdjson_next_field(csimdjson_cursor *cursor, csimdjson_field *field) {
    auto next = unwrap<dom::object::iterator>(cursor->next);
    if (next == unwrap<dom::object::iterator>(cursor->end)) return false;
    std::string_view key = next.key();
    field->key = key.data();
    field->key_length = key.size();
    field->value = wrap(next.value());
    cursor->next = wrap(++next);
    return true;
}

bool csimdjson_find(csimdjson_element element, const char *key, size_t key_length,
                    csimdjson_element *value) {
    dom::object object;
    if (unwrap<dom::element>(element).get(object) != SUCCESS) return false;
    dom::element found;
    if (object.at_key(std::string_view(key, key_length)).get(found) != SUCCESS) return false;
    *value = wrap(found);
    return true;
}

}  // extern "C"
