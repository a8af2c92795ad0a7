#pragma once
/* Linux system calls and constants that Swift's Glibc module leaves out. No logic. */
/* _GNU_SOURCE stays in clinux.c: defined here it would break Glibc's types in Swift. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/random.h>
#include <sys/sendfile.h>

int clinux_accept4(int fd, struct sockaddr *address, socklen_t *length);
/* Bytes in a TCP socket's send queue that the peer has not acknowledged; 0, or -1 with errno. */
int clinux_unsent_count(int fd, int *count);
/* Whether the byte of a file can be read without waiting for the disk. */
_Bool clinux_is_cached(int fd, int64_t offset);
/* A file without a name in a folder (O_TMPFILE), for reading and writing; or -1 with errno. */
int clinux_open_unnamed(const char *folder);
int clinux_rename_noreplace(const char *from, const char *to);
/* An open-file-description lock (exclusive) on [start, start+length); 0, or -1 with errno. */
int clinux_ofd_lock_exclusive(int fd, int64_t start, int64_t length);
int clinux_ofd_unlock(int fd, int64_t start, int64_t length);
/* epoll_wait to the nanosecond; a negative time waits for an event alone. */
int clinux_epoll_wait_fine(int epoll, struct epoll_event *events, int count, int64_t nanoseconds);
/* How late the kernel may wake the calling thread, to save wake-ups. */
int clinux_set_timer_slack(uint64_t nanoseconds);
int clinux_set_thread_name(const char *name);
bool clinux_contains(const void *bytes, size_t count, const void *wanted, size_t wanted_count);
uint32_t clinux_crc32c(uint32_t seed, const void *bytes, size_t count);
