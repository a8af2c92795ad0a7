#pragma once
#include <sqlite3.h>
#include <stddef.h>

/* Variadic functions and function-pointer constants that Swift does not import. */
static inline int csqlite_config_bool(sqlite3 *db, int option, int value, int *out) {
    return sqlite3_db_config(db, option, value, out);
}
static inline int csqlite_global_config_int(int option, int value) {
    return sqlite3_config(option, value);
}
static inline int csqlite_bind_text_copy(sqlite3_stmt *s, int i, const char *p, sqlite3_uint64 n) {
    return sqlite3_bind_text64(s, i, p, n, SQLITE_TRANSIENT, SQLITE_UTF8);
}
static inline int csqlite_bind_blob_copy(sqlite3_stmt *s, int i, const void *p, sqlite3_uint64 n) {
    return sqlite3_bind_blob64(s, i, p, n, SQLITE_TRANSIENT);
}
static inline int csqlite_bind_text_static(sqlite3_stmt *s, int i, const char *p, sqlite3_uint64 n) {
    return sqlite3_bind_text64(s, i, p, n, SQLITE_STATIC, SQLITE_UTF8);
}
static inline int csqlite_bind_blob_static(sqlite3_stmt *s, int i, const void *p, sqlite3_uint64 n) {
    return sqlite3_bind_blob64(s, i, p, n, SQLITE_STATIC);
}
static inline void csqlite_set_error(sqlite3_vtab *table, const char *text) {
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", text);
}
static inline int csqlite_vtab_declare(sqlite3 *db, const char *sql) {
    return sqlite3_declare_vtab(db, sql);
}
static inline void csqlite_memory_barrier(void) { __sync_synchronize(); }

/* One open file of the VFS in Sources/SQLite/VFS: SQLite's part first, then ours. */
typedef struct csqlite_file {
    sqlite3_file base;
    sqlite3_file *real; /* the unix VFS's file, allocated behind this struct */
    void *context;      /* retained owner */
} csqlite_file;

/* Extended result codes: macros with casts, which Swift does not import. */
enum {
    CSQLITE_IOERR_READ = SQLITE_IOERR_READ,
    CSQLITE_IOERR_SHORT_READ = SQLITE_IOERR_SHORT_READ,
    CSQLITE_IOERR_WRITE = SQLITE_IOERR_WRITE,
    CSQLITE_IOERR_FSYNC = SQLITE_IOERR_FSYNC,
    CSQLITE_IOERR_TRUNCATE = SQLITE_IOERR_TRUNCATE,
    CSQLITE_IOERR_SHMMAP = SQLITE_IOERR_SHMMAP,
    CSQLITE_IOERR_NOMEM = SQLITE_IOERR_NOMEM,
};

/* A cursor of the generate_series table in Sources/SQLite/GenerateSeries.swift: SQLite's part
 * first, then ours. */
typedef struct csqlite_series_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_int64 start;
    sqlite3_int64 stop;
    sqlite3_int64 step;
    unsigned char is_reversed;
    sqlite3_int64 current;
    sqlite3_uint64 remaining_count; /* values after `current` */
    unsigned char is_at_end;
} csqlite_series_cursor;

/* Lets views and triggers use a virtual table although the schema is not trusted. */
static inline int csqlite_vtab_set_innocuous(sqlite3 *db) {
    return sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
}
