/* A disk whose flushes take longer: preloaded, it adds SLOW_FSYNC_MICROSECONDS to every fsync and
 * fdatasync, of SQLite's as of ours.
 *
 * cc -O2 -shared -fPIC -o slow_fsync.so slow_fsync.c -ldl
 * SLOW_FSYNC_MICROSECONDS=2000 LD_PRELOAD=./slow_fsync.so program
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long delay_microseconds;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("SLOW_FSYNC_MICROSECONDS");
    delay_microseconds = text ? atol(text) : 0;
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
}

static void wait_longer(void) {
    struct timespec rest = {delay_microseconds / 1000000, delay_microseconds % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) != 0) {
    }
}

int fsync(int file) {
    if (delay_microseconds > 0) wait_longer();
    return real_fsync(file);
}

int fdatasync(int file) {
    if (delay_microseconds > 0) wait_longer();
    return real_fdatasync(file);
}
