#pragma once
#include <zlib.h>

/* Macros in zlib.h, which check that header and library fit. */
static inline int czlib_deflate_init(z_stream *stream, int level) {
    /* Raw deflate, the largest window and the usual amount of memory. */
    return deflateInit2(stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
}

static inline int czlib_inflate_init_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
