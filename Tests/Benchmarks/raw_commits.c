/* What SQLite itself does: one connection, WAL, synchronous=FULL, prepared statements. Inserts rows,
 * so many in each transaction, and prints one JSON object.
 *
 * cc -O2 -o raw_commits raw_commits.c -lsqlite3
 * ./raw_commits FILE SECONDS ROWS_PER_COMMIT
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void check(int code, int expected, sqlite3 *database) {
    if (code == expected) return;
    fprintf(stderr, "raw_commits: %s\n", sqlite3_errmsg(database));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql) {
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK, database);
    return statement;
}

static void run(sqlite3_stmt *statement, sqlite3 *database) {
    check(sqlite3_step(statement), SQLITE_DONE, database);
    sqlite3_reset(statement);
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: raw_commits FILE SECONDS ROWS_PER_COMMIT\n");
        return 2;
    }
    double seconds = atof(arguments[2]);
    long rows = atol(arguments[3]);
    sqlite3 *database;
    check(sqlite3_open(arguments[1], &database), SQLITE_OK, database);
    check(
        sqlite3_exec(
            database,
            "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)",
            NULL, NULL, NULL),
        SQLITE_OK, database);
    sqlite3_stmt *begin = prepare(database, "BEGIN IMMEDIATE");
    sqlite3_stmt *commit = prepare(database, "COMMIT");
    sqlite3_stmt *insert = prepare(database, "INSERT INTO t(id, v) VALUES(?, ?)");
    long commits = 0;
    sqlite3_int64 id = 100000000000;
    double start = now(), end;
    do {
        run(begin, database);
        for (long row = 0; row < rows; row++) {
            sqlite3_bind_int64(insert, 1, id++);
            sqlite3_bind_text(
                insert, 2, "a row that is as long as this one", -1, SQLITE_STATIC);
            run(insert, database);
        }
        run(commit, database);
        commits++;
        end = now();
    } while (end - start < seconds);
    printf(
        "{\"commits\":%ld,\"rows\":%ld,\"seconds\":%.3f}\n", commits, commits * rows, end - start);
    return 0;
}
