#define _GNU_SOURCE
#include "clinux.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>

int clinux_accept4(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

_Bool clinux_is_cached(int fd, int64_t offset) {
    char byte;
    struct iovec vector = {.iov_base = &byte, .iov_len = 1};
    return preadv2(fd, &vector, 1, offset, RWF_NOWAIT) == 1;
}

int clinux_open_unnamed(const char *folder) {
    return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int clinux_rename_noreplace(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int clinux_ofd_lock_exclusive(int fd, int64_t start, int64_t length) {
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length, .l_pid = 0};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int clinux_ofd_unlock(int fd, int64_t start, int64_t length) {
    struct flock lock = {
        .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length, .l_pid = 0};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int clinux_set_thread_name(const char *name) { return pthread_setname_np(pthread_self(), name); }

#if defined(__x86_64__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *p,
                                                                   size_t n) {
    uint64_t wide = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        __builtin_memcpy(&word, p, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    for (; n > 0; n--, p++) crc = _mm_crc32_u8(crc, *p);
    return crc;
}
#endif

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n > 0; n--, p++) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    }
    return crc;
}

uint32_t clinux_crc32c(uint32_t seed, const void *bytes, size_t count) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc32c_hardware(~seed, bytes, count);
#endif
    return ~crc32c_portable(~seed, bytes, count);
}

int clinux_unsent_count(int fd, int *count) { return ioctl(fd, SIOCOUTQ, count); }

int clinux_epoll_wait_fine(int epoll, struct epoll_event *events, int count, int64_t nanoseconds) {
    struct timespec time = {
        .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    return epoll_pwait2(epoll, events, count, nanoseconds < 0 ? NULL : &time, NULL);
}

int clinux_set_timer_slack(uint64_t nanoseconds) { return prctl(PR_SET_TIMERSLACK, nanoseconds); }

bool clinux_contains(const void *bytes, size_t count, const void *wanted, size_t wanted_count) {
    return memmem(bytes, count, wanted, wanted_count) != NULL;
}
