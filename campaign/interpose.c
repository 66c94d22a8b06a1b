/* Stands between a program and the C library (LD_PRELOAD), for the files of one folder: writes down, in order,
 * every call that changes them or forces them to the disk, and lets a chosen call fail.
 *
 * The log: one record after the other, each `u8 what, u32 file, u64 offset, u32 length` (the machine's byte
 * order, no gaps) and `length` bytes. What: N names a file (its number, and its path), C creates it, W writes
 * bytes at an offset, T truncates it to `offset`, S forces it to the disk (the folder, too), U unlinks it, R renames it to
 * the file of number `offset`. Nothing is logged of a call that failed.
 *
 * Not thread-safe in the order of two calls that run at once; a store has one writer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS 4096
#define FILES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char prefix[PATH_MAX];
static int log_fd = -1;
static char *names[FILES];
static int file_of[FDS]; /* number of the file behind a descriptor, plus one */
static long calls, fail_at;
static int fail_errno, fail_on;

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static ssize_t plain_write(int fd, const void *bytes, size_t length) {
    REAL(write);
    return real(fd, bytes, length);
}

static void note(char what, uint32_t file, uint64_t offset, const void *bytes, uint32_t length) {
    if (log_fd < 0) return;
    char head[17];
    head[0] = what;
    memcpy(head + 1, &file, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 4);
    pthread_mutex_lock(&lock);
    if (plain_write(log_fd, head, sizeof head) != sizeof head) abort();
    if (length && plain_write(log_fd, bytes, length) != (ssize_t)length) abort();
    pthread_mutex_unlock(&lock);
}

static int number_of(const char *path) {
    if (!prefix[0] || strncmp(path, prefix, strlen(prefix))) return -1;
    for (int at = 0; at < FILES; at++) {
        if (!names[at]) {
            names[at] = strdup(path);
            note('N', at, 0, path, strlen(path));
            return at;
        }
        if (!strcmp(names[at], path)) return at;
    }
    abort();
}

static int watched(int fd) { return fd >= 0 && fd < FDS ? file_of[fd] - 1 : -1; }

/* Whether this call is to fail. What only tells of progress ("ack") never fails and is not counted. */
static int fails(int file) {
    const char *name = names[file];
    size_t length = strlen(name);
    if (length >= 4 && !strcmp(name + length - 4, ".ack")) return 0;
    pthread_mutex_lock(&lock);
    calls++;
    int now = fail_at && (calls == fail_at || (fail_on && calls > fail_at));
    pthread_mutex_unlock(&lock);
    if (now) errno = fail_errno;
    return now;
}

/* -- for the program: what to watch, and what is to fail ------------------------------------------------- */

void interpose_watch(const char *folder, const char *log) {
    REAL(close);
    if (log_fd >= 0) real(log_fd);
    for (int at = 0; at < FILES && names[at]; at++) {
        free(names[at]);
        names[at] = NULL;
    }
    memset(file_of, 0, sizeof file_of);
    prefix[0] = 0;
    log_fd = log && log[0] ? open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    strncpy(prefix, folder, sizeof prefix - 1);
    calls = fail_at = 0;
}

void interpose_fail(long at, int number, int from_there_on) {
    fail_at = at;
    fail_errno = number;
    fail_on = from_there_on;
}

long interpose_calls(void) { return calls; }

/* -- the calls --------------------------------------------------------------------------------------------- */

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    int file = number_of(path);
    if (file < 0) return real(path, flags, mode);
    struct stat before;
    int fresh = (flags & O_CREAT) && stat(path, &before) != 0;
    if ((fresh || (flags & O_TRUNC)) && fails(file)) return -1;
    int fd = real(path, flags, mode);
    if (fd >= 0 && fd < FDS) {
        file_of[fd] = file + 1;
        if (fresh) note('C', file, 0, NULL, 0);
        if (!fresh && (flags & O_TRUNC)) note('T', file, 0, NULL, 0);
    }
    return fd;
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return opened((int (*)(const char *, int, ...))real, path, flags, mode); \
    }
OPENS(open)
OPENS(open64)

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FDS) file_of[fd] = 0;
    return real(fd);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    int file = watched(fd);
    if (file < 0) return real(fd, bytes, length);
    if (fails(file)) return -1;
    off_t at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done = real(fd, bytes, length);
    if (done > 0) note('W', file, at, bytes, done);
    return done;
}

/* A disk that is full takes what still fits: the first half, once, and then nothing. */
#define PWRITES(name, offset_type) \
    ssize_t name(int fd, const void *bytes, size_t length, offset_type at) { \
        REAL(name); \
        int file = watched(fd); \
        if (file < 0) return real(fd, bytes, length, at); \
        if (fails(file)) { \
            if (errno == ENOSPC && fail_on && calls == fail_at && length > 1) { \
                ssize_t done = real(fd, bytes, length / 2, at); \
                if (done > 0) note('W', file, at, bytes, done); \
                return done; \
            } \
            return -1; \
        } \
        ssize_t done = real(fd, bytes, length, at); \
        if (done > 0) note('W', file, at, bytes, done); \
        return done; \
    }
PWRITES(pwrite, off_t)
PWRITES(pwrite64, off64_t)

#define TRUNCATES(name, offset_type) \
    int name(int fd, offset_type size) { \
        REAL(name); \
        int file = watched(fd); \
        if (file >= 0 && fails(file)) return -1; \
        int done = real(fd, size); \
        if (file >= 0 && !done) note('T', file, size, NULL, 0); \
        return done; \
    }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

#define SYNCS(name) \
    int name(int fd) { \
        REAL(name); \
        int file = watched(fd); \
        if (file >= 0 && fails(file)) return -1; \
        int done = real(fd); \
        if (file >= 0 && !done) note('S', file, 0, NULL, 0); \
        return done; \
    }
SYNCS(fsync)
SYNCS(fdatasync)

int unlink(const char *path) {
    REAL(unlink);
    int file = number_of(path);
    if (file >= 0 && fails(file)) return -1;
    int done = real(path);
    if (file >= 0 && !done) note('U', file, 0, NULL, 0);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    int file = number_of(from), other = number_of(to);
    if (file >= 0 && fails(file)) return -1;
    int done = real(from, to);
    if (file >= 0 && other >= 0 && !done) note('R', file, other, NULL, 0);
    return done;
}
