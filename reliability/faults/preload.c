/* Preloaded into a command: makes calls fail, or shifts its clock.
 *
 * FAULT_FAILS   read or write: which calls fail on files below FAULT_BELOW
 * FAULT_AT      the number of the call that fails with EIO, from 1
 * FAULT_MARK    a file that is made when the call fails
 * FAULT_SHIFT   seconds that the clock is ahead
 * FAULT_AFTER   seconds after the start from which on it is
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fails(const char *kind, int file) {
    static int calls = 0;
    const char *wanted = getenv("FAULT_FAILS"), *below = getenv("FAULT_BELOW");
    char link[64], path[4096];
    if (!wanted || !below || strcmp(wanted, kind)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0 || strncmp(path, below, strlen(below))) return 0;
    if (__sync_add_and_fetch(&calls, 1) != atoi(getenv("FAULT_AT"))) return 0;
    close(open(getenv("FAULT_MARK"), O_CREAT | O_WRONLY, 0600));
    errno = EIO;
    return 1;
}

#define CALL(kind, result, name, typed, passed) \
    result name typed { \
        if (fails(kind, file)) return -1; \
        return REAL(name) passed; \
    }

CALL("read", ssize_t, read, (int file, void *to, size_t size), (file, to, size))
CALL("read", ssize_t, pread, (int file, void *to, size_t size, off_t at),
     (file, to, size, at))
CALL("read", ssize_t, pread64, (int file, void *to, size_t size, off64_t at),
     (file, to, size, at))
CALL("read", ssize_t, preadv, (int file, const struct iovec *to, int n, off_t at),
     (file, to, n, at))
CALL("read", ssize_t, preadv64, (int file, const struct iovec *to, int n, off64_t at),
     (file, to, n, at))
CALL("write", ssize_t, write, (int file, const void *from, size_t size),
     (file, from, size))
CALL("write", ssize_t, pwrite, (int file, const void *from, size_t size, off_t at),
     (file, from, size, at))
CALL("write", ssize_t, pwrite64, (int file, const void *from, size_t size, off64_t at),
     (file, from, size, at))
CALL("write", int, fsync, (int file), (file))
CALL("write", int, fdatasync, (int file), (file))

static long shift(void) {
    static time_t began = 0;
    const char *seconds = getenv("FAULT_SHIFT"), *after = getenv("FAULT_AFTER");
    struct timespec now;
    if (!seconds) return 0;
    REAL(clock_gettime)(CLOCK_MONOTONIC, &now);
    if (!began) began = now.tv_sec;
    return now.tv_sec - began >= (after ? atol(after) : 0) ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = REAL(clock_gettime)(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = REAL(gettimeofday)(now, zone);
    if (!failed) now->tv_sec += shift();
    return failed;
}

time_t time(time_t *now) {
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    if (now) *now = clock.tv_sec;
    return clock.tv_sec;
}
